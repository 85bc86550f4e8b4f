"""Codes, challenges and ends: whatever comes in whatever order, a code binds one key, and a challenge is answered in time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.enrolment import policy
from cloud.enrolment.model import BoundNode, Claim, Credential

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = bytes(range(32))


def claim(secret: str, **fields: object) -> Claim:
    given_fields = {
        "id": 1,
        "node": "station-01",
        "district": "110105",
        "area_code": "110105",
        "trusts_births": False,
        "selector": "ABCDE",
        "code_hash": policy.hash_secret(secret),
        "made_by": "somebody",
        "made_at": AT,
        "expires_at": AT + policy.CLAIM_LASTS,
    }
    return Claim(**(given_fields | fields))  # type: ignore[arg-type]


def test_a_code_is_read_as_people_type_it() -> None:
    code, selector = policy.new_code()
    parts = policy.parts_of(code)
    assert parts is not None
    assert parts[0] == selector
    for typed in (
        code.lower(),
        code.replace("-", " "),
        code.replace("-", "\u2013"),
        f"  {code}\n",
        code.replace("0", "O"),
    ):
        assert policy.parts_of(typed) == parts
    assert policy.parts_of(code[:-1]) is None
    assert policy.parts_of(code + "A") is None
    assert policy.parts_of("A" * 1_000) is None


@given(st.text(max_size=120))
def test_no_text_breaks_the_reading_of_a_code(text: str) -> None:
    parts = policy.parts_of(text)
    assert parts is None or (len(parts[0]), len(parts[1])) == (5, 20)


def test_codes_differ() -> None:
    assert len({policy.new_code()[0] for _ in range(200)}) == 200


@given(
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
    st.integers(0, 12),
    st.integers(-10, 50),
    st.sampled_from([None, b"k" * 32, b"o" * 32]),
)
def test_a_code_is_taken_only_while_it_is_open_and_only_by_one_key(
    is_so: tuple[bool, bool, bool], failures: int, hours: int, used_key: bytes | None
) -> None:
    is_known, is_right, is_revoked = is_so
    known = claim(
        "RIGHT",
        failures=failures,
        used_key=used_key,
        used_at=AT if used_key else None,
        revoked_at=AT if is_revoked else None,
    )
    now = AT + timedelta(hours=hours)
    refusal = policy.refusal_of(known if is_known else None, "RIGHT" if is_right else "WRONG", b"k" * 32, now)
    fine = (
        is_known
        and is_right
        and not is_revoked
        and failures < policy.CLAIM_FAILURES
        and used_key in {None, b"k" * 32}
        and now < known.expires_at
    )
    assert (refusal is None) == fine
    if not (is_known and is_right):
        assert refusal is not None
        assert "not known" in refusal  # what is wrong with a code is told to nobody who does not have it


@given(st.integers(-400, 400), st.integers(0, 70), st.integers(1, 255))
def test_a_challenge_is_ours_and_over_after_five_minutes(later_s: int, place: int, change: int) -> None:
    challenge = policy.new_challenge(SECRET, AT)
    now = AT + timedelta(seconds=later_s)
    nonce = policy.nonce_of(SECRET, challenge, now)
    assert (nonce is not None) == (later_s < policy.CHALLENGE_LASTS.total_seconds())
    assert policy.nonce_of(bytes(32), challenge, AT) is None
    changed = bytearray(challenge.encode())
    changed[place % len(changed)] ^= change
    if changed.decode("latin-1") != challenge:
        assert policy.nonce_of(SECRET, changed.decode("latin-1"), AT) is None


@pytest.mark.parametrize("text", ["", "x", "AAAA", "=" * 40, "é" * 10, "A" * 76])
def test_what_is_no_challenge_is_none(text: str) -> None:
    assert policy.nonce_of(SECRET, text, AT) is None


def test_a_node_asks_before_the_end_with_a_month_to_spare() -> None:
    end = AT + policy.CREDENTIAL_LASTS
    assert not policy.is_due(AT, end, AT + timedelta(days=59))
    assert policy.is_due(AT, end, AT + timedelta(days=60))
    assert policy.is_due(AT, end, end)


def test_older_credentials_end_after_a_newer_one_was_used_and_never_later_than_before() -> None:
    standing = [
        Credential(1, AT, AT + timedelta(hours=1), None),
        Credential(2, AT, AT + timedelta(days=90), None),
        Credential(3, AT, AT + timedelta(days=90), None),
    ]
    assert policy.ends_after_use(3, standing, AT) == {2: AT + policy.OVERLAP}
    assert policy.ends_after_use(1, standing, AT) == {}


def test_who_asks_again_and_again_does_not_gather_credentials() -> None:
    standing = [Credential(number, AT, AT + timedelta(days=90), None) for number in range(1, 8)]
    assert sorted(policy.ended_for_room(standing, AT)) == [1, 2, 3, 4]
    assert policy.ended_for_room(standing[:3], AT) == []
    in_use = [Credential(1, AT, AT + timedelta(days=90), AT), *standing[1:]]
    assert sorted(policy.ended_for_room(in_use, AT)) == [2, 3, 4]


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("station-01", ("station-01", None)),
        ("station-01~7", ("station-01", 7)),
        ("station-01~", None),
        ("", None),
        ("Station", None),
        ("\x00", None),
        ("station-01\n", None),
        ("station-01~x", None),
        ("station-01~01", None),
        ("station-01~7~8", None),
        ("station-01~" + "9" * 30, None),
        ("station-01~\u0663", None),
    ],
)
def test_names_at_the_broker(user: str, expected: tuple[str, int | None] | None) -> None:
    assert policy.node_of_user(user) == expected
    if expected is not None and expected[1] is not None:
        assert policy.mqtt_user(expected[0], expected[1]) == user


KEY, OTHER_KEY = bytes(32), bytes([1]) * 32


def node(**fields: object) -> BoundNode:
    return BoundNode(
        **{  # type: ignore[arg-type]
            "id": 1,
            "name": "station-01",
            "district": "110105",
            "area_code": "110105",
            "public_key": None,
            "renewal_wanted_at": None,
            **fields,
        }
    )


@given(st.booleans(), st.sampled_from([None, "gone", KEY, OTHER_KEY]), st.sampled_from(["110105", "110105001"]))
def test_a_code_binds_at_its_area_alone_and_a_used_one_only_where_its_key_stands(
    is_used: bool, bound: bytes | str | None, area: str
) -> None:
    used = {"used_at": AT, "used_key": KEY} if is_used else {}
    found = None if isinstance(bound, str) else node(public_key=bound, area_code=area)
    is_in_area = found is None or area == "110105"
    binds = is_in_area and (bound == KEY or not is_used)
    assert (policy.refusal_at(claim("x", **used), found, KEY) is None) == binds
