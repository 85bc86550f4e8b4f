"""The district's private key, which opens sealed originals (解封). It never comes near the service: this runs where its holder is.

Any `age` program opens the same files with the same key; `cloud.proof.originals` compares hashes and writes down who did it.
"""

from pathlib import Path

import pyrage

from cloud.errors import Invalid

LARGEST_KEY_FILE_BYTES = 16 << 10


class DistrictPrivateKey:
    """The private keys of a file, of which one may open what was sealed to its public half. They show in no text."""

    def __init__(self, path: Path) -> None:
        """Raises Invalid when the file can't be read, or holds no private key of age."""
        try:
            if path.stat().st_size > LARGEST_KEY_FILE_BYTES:
                raise Invalid(f"{path} is no file of private keys")
            lines = [line.strip() for line in path.read_text(encoding="ascii").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise Invalid(f"the private key {path} can't be read: {type(error).__name__}") from error
        try:
            self._identities = [pyrage.x25519.Identity.from_str(line) for line in lines if line and line[0] != "#"]
        except pyrage.IdentityError as error:
            raise Invalid(f"{path} holds something that is no private key AGE-SECRET-KEY-1…") from error
        if not self._identities:
            raise Invalid(f"{path} holds no private key")

    def open(self, sealed: bytes) -> bytes:
        """What was sealed. Raises Invalid when it was sealed to another key, or is changed or cut anywhere."""
        try:
            return bytes(pyrage.decrypt(sealed, self._identities))
        except pyrage.DecryptError as error:
            raise Invalid("the key does not open this file, or the file is damaged") from error


def new_key_pair() -> tuple[str, str]:
    """A district's private key, for the one who keeps it, and its public key, for the nodes."""
    identity = pyrage.x25519.Identity.generate()
    return str(identity), str(identity.to_public())
