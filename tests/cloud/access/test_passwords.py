import secrets

import pytest

from cloud.access import passwords
from cloud.errors import Invalid


@pytest.mark.parametrize(
    ("password", "name"),
    [
        ("1234567890", ""),
        ("Password123!", ""),
        ("P@ssw0rd2026", ""),
        ("qwertyuiop", ""),
        ("1q2w3e4r5t", ""),
        ("gridward2026!", ""),
        ("Gridward-admin-1", ""),
        ("wang.xm123456", "wang.xm"),
        ("Wang-2026-520", "wang.xm"),
        ("13800138000", ""),
        ("aaaaaaaaaaaa", ""),
        ("short one", ""),
        ("x" * 201, ""),
        ("woaini5201314", ""),
    ],
)
def test_what_is_tried_first_is_no_password(password: str, name: str) -> None:
    with pytest.raises(Invalid):
        passwords.hash_password(password, name=name)


@pytest.mark.parametrize(
    "password", ["correct horse battery", "三月的雨下在青松街道上啊", "Tr0mpete&Zug", "wang likes green tea"]
)
def test_words_that_nobody_guesses_are_taken_as_they_are(password: str) -> None:
    assert not passwords.is_plain(password, "wang")
    assert passwords.is_right(password, passwords.hash_password(password, name="wang"))
    assert not passwords.is_right(password + " ", passwords.rehash(password))


def test_what_the_service_makes_itself_is_always_taken() -> None:
    assert not any(passwords.is_plain(secrets.token_urlsafe(12)) for _ in range(2_000))
    assert not passwords.is_plain("32311d7a89120203673c4265")
    assert not passwords.is_plain("3f3b528476504435b196d249")


def test_the_work_of_a_hash_is_what_owasp_asks_for_at_least() -> None:
    kept = passwords.rehash("correct horse battery")
    assert kept.startswith("$argon2id$v=19$")
    memory_kib, passes, _ = (int(part.split("=")[1]) for part in kept.split("$")[3].split(","))
    assert memory_kib >= 19 * 1024
    assert passes >= 2
