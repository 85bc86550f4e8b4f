"""A machine that enrols, as a node does, against the use cases themselves."""

from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.db.pool import Pool
from cloud.enrolment import service
from cloud.enrolment.model import IssuedCredential, Proof
from edge.contract import signing
from edge.contract.enrolment import enrolment_statement, renewal_statement

ADDRESS = "192.0.2.7"


@dataclass
class Machine:
    """Holds a key; `signing_key` signs, which a thief's would do in its place."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    signing_key: Ed25519PrivateKey | None = None

    @property
    def public_key(self) -> bytes:
        return signing.public_bytes(self.key)

    def enrol(self, pool: Pool, code: str, now: datetime, *, challenge: str | None = None) -> IssuedCredential:
        offered = self._challenge(pool, now) if challenge is None else challenge
        text = signing.key_text(self.public_key)
        signed = enrolment_statement(claim=code, public_key=text, challenge=offered, software="test")
        return service.enrol(pool, code, self._proof(offered, signed), software="test", now=now, address=ADDRESS)

    def renew(self, pool: Pool, node: str, now: datetime, *, challenge: str | None = None) -> IssuedCredential:
        offered = self._challenge(pool, now) if challenge is None else challenge
        signed = renewal_statement(node=node, public_key=signing.key_text(self.public_key), challenge=offered)
        return service.renew(pool, node, self._proof(offered, signed), now=now, address=ADDRESS)

    def _challenge(self, pool: Pool, now: datetime) -> str:
        with pool.connection() as conn:
            return service.challenge(conn, now=now)

    def _proof(self, challenge: str, signed: bytes) -> Proof:
        return Proof(self.public_key, challenge, signing.sign(self.signing_key or self.key, signed))
