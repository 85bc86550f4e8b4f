"""What is wrong with something that is signed, or that was to be.

ArtifactProblem
├── KeyUnknown      signed with a key that is not trusted: none of the keyring, revoked, or outside of its validity
├── SignatureWrong  the signature can't be read, or is not that of its statement
├── ContentWrong    the bytes are not those that were signed
├── KeyFileWrong    the file of a key can't be used
└── ProfileWrong    the content of a profile has mistakes
    └── KindWrong   it is signed as something else than it is
"""


class ArtifactProblem(Exception):
    """Something signed can't be used; the message says why."""


class KeyUnknown(ArtifactProblem):
    """Signed with a key that is not trusted."""


class SignatureWrong(ArtifactProblem):
    """The signature can't be read, or is not that of its statement."""


class ContentWrong(ArtifactProblem):
    """The bytes are not those that were signed. `size_differs`: cut short or too long, not only other ones."""

    def __init__(self, reason: str, *, size_differs: bool = False) -> None:
        super().__init__(reason)
        self.size_differs = size_differs


class KeyFileWrong(ArtifactProblem):
    """The file of a key can't be read, written or used."""


class ProfileWrong(ArtifactProblem):
    """The content of a profile has mistakes; the message names the first, and where."""


class KindWrong(ProfileWrong):
    """The content is sound, and something else than it was signed or asked for as."""
