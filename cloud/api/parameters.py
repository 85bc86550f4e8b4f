"""Words that several routes take, with the characters that they may have."""

from typing import Annotated

from pydantic import StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$")]
"""The name of a node, device, point or kind, as the contract has it."""

Code = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{1,32}$")]
"""The code of an area of any level."""
