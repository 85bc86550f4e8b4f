"""Whether an order is followed (准入策略): who gave it, who vouches for what it names, and whether it leads forward. Nothing is fetched for one
that is refused.
"""

from collections.abc import Collection

from edge.contract.artifacts import STEPS_ENDED, StepCode
from edge.contract.downlink import DesiredProfile, order_statement
from edge.contract.signing import is_signed
from edge.errors import StepRefused
from edge.provisioning.record import Entry
from firmware_configs.keyring import Keyring
from firmware_configs.problems import ArtifactProblem, ContentWrong, KeyUnknown, KindWrong, SignatureWrong
from firmware_configs.semver import Version
from firmware_configs.signature import LARGEST_BYTES, ArtifactClass, Signature


def class_of(desired: DesiredProfile) -> ArtifactClass:
    """What is ordered. Raises StepRefused for what this version does not know."""
    try:
        return ArtifactClass(desired.artifact)
    except ValueError as error:
        raise StepRefused(
            StepCode.UNSUPPORTED, f"this software knows nothing of the class {desired.artifact!r}"
        ) from error


def is_superseded(desired: DesiredProfile, entry: Entry) -> bool:
    """Whether a later order for the same name was taken already: what is replayed or late changes nothing."""
    return entry.ordered_at is not None and (desired.issued_at is None or desired.issued_at < entry.ordered_at)


def is_repeated(desired: DesiredProfile, entry: Entry) -> bool:
    """Whether it is the order that was followed last, to whatever end; one that a process died over is followed anew."""
    step = entry.step
    if step is None or desired.desired_id is None or step.state not in STEPS_ENDED:
        return False
    return step.desired_id == desired.desired_id


def require_orderer(desired: DesiredProfile, cloud_keys: Collection[bytes]) -> None:
    """Raises StepRefused when this node knows its cloud and somebody else gave the order."""
    if not cloud_keys:
        return
    try:
        statement = order_statement(desired)
    except (ValueError, TypeError) as error:
        raise StepRefused(StepCode.BAD_SIGNATURE, "the order can't have been signed") from error
    if not is_signed(statement, desired.order_sig, cloud_keys):
        raise StepRefused(StepCode.BAD_SIGNATURE, "the order is not signed by the cloud that this node knows")


def signature_of(desired: DesiredProfile, keyring: Keyring) -> Signature:
    """Who vouches for what is ordered. Raises StepRefused."""
    artifact = class_of(desired)
    if desired.key is None or desired.size_bytes is None or desired.signed_at is None:
        raise StepRefused(StepCode.BAD_SIGNATURE, "the order does not say who vouches for what, and since when")
    try:
        signature = Signature(
            artifact=artifact,
            name=desired.profile,
            version=desired.version,
            sha256=desired.sha256,
            size_bytes=desired.size_bytes,
            signed_at=desired.signed_at,
            key=desired.key,
            sig=desired.sig,
        )
        keyring.verify(signature)
    except ArtifactProblem as problem:
        raise StepRefused(code_of(problem), str(problem)) from problem
    if signature.size_bytes > LARGEST_BYTES[artifact]:
        raise StepRefused(
            StepCode.TOO_LARGE, f"{signature.size_bytes} bytes; a {artifact} has {LARGEST_BYTES[artifact]} at most"
        )
    return signature


def require_forward(signature: Signature, running: tuple[str, str | None] | None, *, roll_back: bool) -> None:
    """Raises StepRefused for a lower version than runs, unless it is ordered as the way back, and for other bytes of the same one.

    `running` is its version and, where it was given to this node, its hash.
    """
    if running is None:
        return
    version, sha256 = running
    try:
        before, after = Version.parse(version), Version.parse(signature.version)
    except ValueError:  # what runs has no version that could be compared: whatever is signed leads forward
        return
    if after == before and sha256 not in {None, signature.sha256}:
        raise StepRefused(
            StepCode.WRONG_HASH, f"{signature.name} {version} runs here with other bytes: a version is signed once"
        )
    if after < before and not roll_back:
        raise StepRefused(
            StepCode.DOWNGRADE, f"{signature.version} is lower than {version}, and no way back was ordered"
        )


def code_of(problem: ArtifactProblem) -> StepCode:
    """How a problem with something signed is told."""
    if isinstance(problem, KeyUnknown):
        return StepCode.UNKNOWN_KEY
    if isinstance(problem, SignatureWrong):
        return StepCode.BAD_SIGNATURE
    if isinstance(problem, ContentWrong):
        return StepCode.TRUNCATED if problem.size_differs else StepCode.WRONG_HASH
    return StepCode.OTHER_KIND if isinstance(problem, KindWrong) else StepCode.NOT_VALID
