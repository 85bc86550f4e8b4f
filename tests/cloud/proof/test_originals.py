"""A sealed original is handed out once, to the one who asked and whom another person allowed it, or not at all."""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psycopg
import pyrage
import pytest

from cloud.access import independence
from cloud.access.model import Role
from cloud.errors import CloudError, Conflict, Forbidden, Invalid, NotFound
from cloud.evidence.store import mark_stored
from cloud.evidence.unsealing import DistrictPrivateKey, new_key_pair
from cloud.proof import originals, watermark
from cloud.proof.originals import LASTS, WAITS, RequestState
from edge.contract.fields import uuid7
from edge.contract.incident import SEALED_MIME, EvidenceKind, EvidenceReference
from tests.cloud.proof.conftest import SEALED, Proving
from tests.fakes.node import AT, incident

SHA256 = hashlib.sha256(SEALED).hexdigest()
PURPOSE = "asked for by the police, file 12"
ADDRESS = "192.0.2.1"


def asked(proving: Proving, **other: Any) -> int:
    given: dict[str, Any] = {"user": proving.chief, "sha256": SHA256, "purpose": PURPOSE, "now": AT} | other
    with proving.connect() as conn:
        case_id = given.get("case_id", proving.case_id())
        request = originals.ask(
            conn,
            given["user"],
            case_id,
            given["sha256"],
            purpose=given["purpose"],
            now=given["now"],
            address=ADDRESS,
            unmarked=given.get("unmarked", False),
        )
    return request.id


def allowed(proving: Proving, request: int, **other: Any) -> None:
    given: dict[str, Any] = {"user": proving.second, "allowed": True, "now": AT} | other
    with proving.connect() as conn:
        originals.decide(
            conn,
            given["user"],
            request,
            allowed=given["allowed"],
            now=given["now"],
            address=ADDRESS,
            words=given.get("words", "" if given["allowed"] else "no file number"),
        )


def handed(proving: Proving, request: int, **other: Any) -> bytes:
    given: dict[str, Any] = {"user": proving.chief, "now": AT} | other
    with proving.connect() as conn:
        _, size_bytes, chunks = originals.hand_over(
            conn, proving.files, given["user"], request, now=given["now"], address=ADDRESS
        )
    content = b"".join(chunks)
    assert len(content) == size_bytes
    return content


def told(proving: Proving) -> tuple[list[str], list[str]]:
    """Words in the history of the case, and in the audit log."""
    with proving.connect() as conn:
        events = conn.execute("select action from case_event where action like 'unseal%' order by id").fetchall()
        rows = conn.execute("select action from audit where action like 'evidence.unseal%' order by id").fetchall()
    return [row[0] for row in events], [row[0] for row in rows]


def test_two_people_open_it_once_and_that_stands_in_the_history_and_the_log(proving: Proving) -> None:
    request = asked(proving)
    with pytest.raises(Conflict):
        handed(proving, request)
    allowed(proving, request)
    assert handed(proving, request) == SEALED
    with pytest.raises(Conflict):
        handed(proving, request)
    words = ["unseal_asked", "unseal_allowed", "unsealed"]
    assert told(proving) == (words, [f"evidence.{word}" for word in words])
    with proving.connect() as conn:
        (found,) = originals.page(conn, proving.chief, case_id=proving.case_id(), before=None, count=5)
        assert found.state(AT) is RequestState.HANDED
        detail = conn.execute("select detail, actor_id from audit where action = 'evidence.unsealed'").fetchone()
    assert detail is not None
    assert detail[0].items() >= {"purpose": PURPOSE, "asked_by": "chief", "decided_by": "second"}.items()
    assert detail[1] == proving.chief.user_id


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"sha256": "0" * 64}, NotFound),
        ({"case_id": 9_999}, NotFound),
        ({"purpose": "  x "}, Invalid),
        ({"purpose": "x" * 501}, Invalid),
        ({"purpose": "be\x00cause"}, Invalid),
    ],
)
def test_what_can_not_be_asked_for(wrong: dict[str, Any], error: type[CloudError], proving: Proving) -> None:
    with pytest.raises(error):
        asked(proving, **wrong)
    assert told(proving) == ([], [])


def test_nobody_allows_himself_and_nobody_takes_what_another_asked_for(proving: Proving) -> None:
    request = asked(proving)
    with pytest.raises(Forbidden, match="another person"):
        allowed(proving, request, user=proving.chief)
    with pytest.raises(Forbidden):
        allowed(proving, request, user=replace(proving.second, role=Role.GRID_LEAD))
    with pytest.raises(NotFound):
        allowed(proving, request, user=replace(proving.second, area_path="110105/110105003/"))
    allowed(proving, request)
    with pytest.raises(Forbidden):
        handed(proving, request, user=proving.second)
    with pytest.raises(psycopg.errors.CheckViolation), proving.connect() as conn:
        conn.execute("update unseal_request set decided_by = asked_by")


def test_whoever_had_the_password_of_the_second_person_in_hand_opens_nothing_with_it(proving: Proving) -> None:
    request = asked(proving)
    with proving.connect() as conn:
        independence.issued(conn, proving.second.user_id, by=proving.chief.user_id, at=AT - timedelta(days=6))
    with pytest.raises(Forbidden, match="second person"):
        allowed(proving, request)
    allowed(proving, request, allowed=False)  # to say no needs nobody else
    later = asked(proving, now=AT + timedelta(days=2))
    allowed(proving, later, now=AT + timedelta(days=2))


def test_what_was_refused_or_is_over_opens_nothing(proving: Proving) -> None:
    refused = asked(proving)
    allowed(proving, refused, allowed=False)
    with pytest.raises(Conflict):
        allowed(proving, refused)
    with pytest.raises(Conflict):
        handed(proving, refused)
    late = asked(proving)
    with pytest.raises(Conflict):
        allowed(proving, late, now=AT + WAITS)
    again = asked(proving, now=AT + WAITS)
    allowed(proving, again, now=AT + WAITS)
    with pytest.raises(Conflict):
        handed(proving, again, now=AT + WAITS + LASTS)
    with proving.connect() as conn:
        assert originals.find(conn, proving.chief, again).state(AT + WAITS + LASTS) is RequestState.EXPIRED


def test_why_it_was_refused_stands_in_the_history_and_the_log(proving: Proving) -> None:
    allowed(proving, asked(proving, purpose="p" * 500), allowed=False, words="  no file number  ")
    with proving.connect() as conn:
        notes = conn.execute("select note from case_event where action = 'unseal_refused' order by id").fetchall()
        details = conn.execute(
            "select detail from audit where action = 'evidence.unseal_refused' order by id"
        ).fetchall()
    assert [note.endswith(" — no file number") for (note,) in notes] == [True]
    assert [detail.get("words") for (detail,) in details] == ["no file number"]


@pytest.mark.parametrize("words", ["", "   ", " x "])
def test_nobody_is_refused_without_being_told_why(words: str, proving: Proving) -> None:
    request = asked(proving)
    with pytest.raises(Invalid, match="say it in `words`"):
        allowed(proving, request, allowed=False, words=words)
    with proving.connect() as conn:
        assert originals.find(conn, proving.second, request).state(AT) is RequestState.WAITING
    allowed(proving, request, words=words)  # to allow it the purpose is enough


@pytest.mark.parametrize("unmarked", [False, True])
def test_what_leaves_without_a_mark_is_logged_as_that_once(unmarked: bool, proving: Proving) -> None:
    request = asked(proving, unmarked=unmarked)
    allowed(proving, request)
    handed(proving, request)
    with pytest.raises(Conflict):
        handed(proving, request)
    with proving.connect() as conn:
        [(detail,)] = conn.execute("select detail from audit where action = 'evidence.unsealed'").fetchall()
    assert (detail["opened"], detail["marked"], detail["unmarked"]) == (False, False, unmarked)


def test_one_asks_once_at_a_time(proving: Proving) -> None:
    first = asked(proving)
    with pytest.raises(Conflict, match="already"):
        asked(proving)
    asked(proving, user=proving.second)
    allowed(proving, first, allowed=False)
    assert asked(proving) > first


def at_once(*tries: Callable[[], object]) -> list[object]:
    """What came of each, tried by threads that begin together."""
    results: list[object] = []
    gate = threading.Barrier(len(tries))

    def run(one: Callable[[], object]) -> None:
        gate.wait()
        try:
            results.append(one())
        except CloudError as error:
            results.append(type(error))

    threads = [threading.Thread(target=run, args=(one,)) for one in tries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_of_many_who_take_it_at_once_one_gets_it(proving: Proving) -> None:
    request = asked(proving)
    allowed(proving, request)
    results = at_once(*[lambda: handed(proving, request)] * 4)
    assert results.count(SEALED) == 1
    assert results.count(Conflict) == 3
    assert told(proving)[0].count("unsealed") == 1


def test_of_two_who_decide_at_once_one_does(proving: Proving) -> None:
    request = asked(proving)
    results = at_once(lambda: allowed(proving, request), lambda: allowed(proving, request, allowed=False))
    assert sorted(map(str, results)) == sorted(map(str, [None, Conflict]))


def test_while_the_bytes_are_away_nothing_is_spent(proving: Proving) -> None:
    request = asked(proving)
    allowed(proving, request)
    proving.files.remove(SHA256)
    with pytest.raises(NotFound):
        handed(proving, request)
    assert "unsealed" not in told(proving)[0]
    with proving.connect() as conn:
        assert originals.find(conn, proving.chief, request).state(AT) is RequestState.READY


def picture() -> bytes:
    fine, encoded = cv2.imencode(".jpg", np.full((480, 640, 3), 90, np.uint8))
    assert fine
    return encoded.tobytes()


def sealed_case(proving: Proving, content: bytes, place: Path) -> tuple[int, Path]:
    """A request of a picture that was really sealed, allowed; and the file of the key that opens it."""
    private, public = new_key_pair()
    (place / "district.key").write_text(private, encoding="ascii")
    sealed = bytes(pyrage.encrypt(content, [pyrage.x25519.Recipient.from_str(public)]))
    sha256 = hashlib.sha256(sealed).hexdigest()
    named = EvidenceReference(
        sha256=sha256,
        kind=EvidenceKind.SEALED,
        mime=SEALED_MIME,
        bytes=len(sealed),
        captured_at=AT,
        plain_sha256=hashlib.sha256(content).hexdigest(),
    )
    proving.settle(incident(uuid7(77, random_bytes=bytes), device="cam-1", kind="sos", evidence=(named,)))
    (place / "sealed").write_bytes(sealed)
    proving.files.put(sha256, place / "sealed")
    with proving.connect() as conn:
        mark_stored(conn, proving.node.name, sha256, now=AT)
    request = asked(proving, case_id=proving.case_id("sos"), sha256=sha256)
    allowed(proving, request)
    return request, place / "district.key"


def test_the_holder_of_the_key_opens_it_once_and_a_wrong_key_spends_nothing(proving: Proving, tmp_path: Path) -> None:
    content = picture()
    request, key = sealed_case(proving, content, tmp_path)
    stranger = tmp_path / "stranger.key"
    stranger.write_text(new_key_pair()[0], encoding="ascii")

    def opened(file: Path) -> bytes:
        with proving.connect() as conn:
            _, original = originals.open_original(
                conn, proving.files, DistrictPrivateKey(file), request, now=AT, maximum_bytes=1 << 20
            )
        return original

    with pytest.raises(Invalid, match="does not open"):
        opened(stranger)
    assert opened(key) == content
    with pytest.raises(Conflict):
        opened(key)
    with pytest.raises(Conflict):
        handed(proving, request)


def grey(content: bytes) -> np.ndarray[Any, Any]:
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert decoded is not None
    return decoded.astype(int)


def test_the_mark_is_all_over_the_picture() -> None:
    plain = picture()
    shown = watermark.marked(plain, "chief 2026-03-01 08:00:00Z 110105-20260301-0001 #7")
    before, after = grey(plain), grey(shown)
    assert before.shape == after.shape
    changed = np.abs(after - before) > 20
    for rows in np.array_split(changed, 5):
        assert rows.mean() > 0.01
    assert changed.any(axis=0).mean() > 0.6


@pytest.mark.parametrize("content", [b"", b"x" * 400, b"\xff\xd8\xff\xd9", b"\x00\x00\x00\x18ftypmp42" + bytes(40)])
def test_what_is_no_picture_is_not_marked(content: bytes) -> None:
    assert not watermark.is_picture(content)
    with pytest.raises(ValueError, match="no picture"):
        watermark.marked(content, "x")


def test_a_request_tells_who_sees_it_when_and_for_which_case(proving: Proving) -> None:
    request = asked(proving)
    with proving.connect() as conn:
        found = originals.find(conn, proving.chief, request)
    at = AT + timedelta(minutes=3)
    assert found.mark(at) == f"chief 2026-03-01 08:03:00Z {proving.number()} #{request}"
