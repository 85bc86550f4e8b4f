"""Enrolment (登记): how a node that has made its own key comes to its credentials. Over HTTPS, JSON, nothing of it over MQTT.

1. `POST /api/v1/enrolment/challenge` → `Challenge`.
2. `POST /api/v1/enrolment` with an `EnrolmentRequest` (the claim code once, and the proof that the sender holds the key), or
   `POST /api/v1/enrolment/renewal` with a `RenewalRequest` (the bound key is enough) → `Credentials`.
3. `GET /api/v1/enrolment/standing` with the token, now and then → `Standing`; the first one with a new token shows that it arrived.
"""

from typing import Annotated

from msgspec import Meta, Struct

from edge.contract.envelope import VERSION
from edge.contract.fields import District, Instant, Name, Ordinal, Text, require_possible
from edge.contract.signing import PublicKey, SignatureText, statement

ChallengeText = Annotated[str, Meta(min_length=1, max_length=200)]
ClaimCode = Annotated[str, Meta(min_length=1, max_length=100)]
KeyFile = Annotated[str, Meta(max_length=4_096)]
"""A public key for signed configurations, as the content of its file."""


class Challenge(Struct, frozen=True, kw_only=True):
    """What the node has to sign along, once, within minutes."""

    challenge: ChallengeText


class EnrolmentRequest(Struct, frozen=True, kw_only=True):
    """`sig` is over `enrolment_statement`."""

    v: int = VERSION
    claim: ClaimCode
    public_key: PublicKey
    challenge: ChallengeText
    software: Text
    sig: SignatureText


class RenewalRequest(Struct, frozen=True, kw_only=True):
    """`sig` is over `renewal_statement`."""

    v: int = VERSION
    node: Name
    public_key: PublicKey
    challenge: ChallengeText
    sig: SignatureText


class Credentials(Struct, frozen=True, kw_only=True):
    """What a node logs in with until `expires_at`, and whom it believes: `command_keys` sign what it is asked to do,
    `configuration_keys` what it is configured with.
    """

    v: int = VERSION
    node: Name
    district: District
    generation: Ordinal
    mqtt_user: Annotated[str, Meta(min_length=1, max_length=100)]
    mqtt_password: Annotated[str, Meta(min_length=16, max_length=200)]
    token: Annotated[str, Meta(min_length=16, max_length=200)]
    issued_at: Instant
    expires_at: Instant
    command_keys: Annotated[tuple[PublicKey, ...], Meta(max_length=16)] = ()
    configuration_keys: Annotated[tuple[KeyFile, ...], Meta(max_length=16)] = ()

    def __post_init__(self) -> None:
        """Refuse times that can't be."""
        require_possible(self.issued_at, self.expires_at)


class Standing(Struct, frozen=True, kw_only=True):
    """How an enrolled node stands. `renewal_wanted`: a person wants it to ask for new credentials now."""

    v: int = VERSION
    node: Name
    generation: Ordinal | None = None
    expires_at: Instant | None = None
    renewal_wanted: bool = False
    command_keys: Annotated[tuple[PublicKey, ...], Meta(max_length=16)] = ()
    configuration_keys: Annotated[tuple[KeyFile, ...], Meta(max_length=16)] = ()


def enrolment_statement(*, claim: str, public_key: str, challenge: str, software: str) -> bytes:
    """What a node signs to bind its key."""
    return statement(
        "enrolment", {"claim": claim, "public_key": public_key, "challenge": challenge, "software": software}
    )


def renewal_statement(*, node: str, public_key: str, challenge: str) -> bytes:
    """What a node signs to be given its next credentials."""
    return statement("renewal", {"node": node, "public_key": public_key, "challenge": challenge})
