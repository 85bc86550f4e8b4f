"""Secrets of nodes: made here, shown once, kept as hashes. Pure but for the source of randomness."""

import base64
import hashlib
import os
import secrets

MQTT_ITERATIONS = 101
_SALT_BYTES = 12


def new_token() -> str:
    """A bearer token with 256 bits of randomness."""
    return f"gwn_{secrets.token_urlsafe(32)}"


def new_mqtt_password() -> str:
    """A password for the broker with 192 bits of randomness."""
    return secrets.token_urlsafe(24)


def hash_token(token: str) -> bytes:
    """SHA-256: enough for a secret that no dictionary holds."""
    return hashlib.sha256(token.encode()).digest()


def hash_mqtt_password(password: str, *, salt: bytes | None = None) -> str:
    """As mosquitto keeps it in its password file: `$7$iterations$salt$key`, PBKDF2 with SHA-512.

    The few iterations are mosquitto's own default; they matter for words that people choose, not for 192 random bits.
    """
    salt = os.urandom(_SALT_BYTES) if salt is None else salt
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, MQTT_ITERATIONS)
    return f"$7${MQTT_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"
