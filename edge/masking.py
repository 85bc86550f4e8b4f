"""Texts without their secrets, as both sides show them (`edge.contract.secrets`). Pure."""

from edge.contract.secrets import HIDDEN, hidden, shown, without_secrets, without_userinfo

__all__ = ["HIDDEN", "hidden", "shown", "without_secrets", "without_userinfo"]
