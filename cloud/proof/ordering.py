"""Orders for sealed originals that lie at their nodes: fetched when two people want to see one, kept while a case is held.

All of it follows from rows, so it may run at any time, twice, or late: who is allowed to see what, which cases are held, what nodes
have answered. A node that is away hears of its orders when it is back, until they end.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import Connection

from cloud.access.model import Principal, Role
from cloud.cases import service as cases
from cloud.cases import store as case_rows
from cloud.cases.model import HistoryAction
from cloud.commands import service as commands
from cloud.commands.model import CommandState
from cloud.db.pool import Pool
from cloud.db.queries import load
from cloud.errors import CommandRunning, NodeAway, NotFound
from cloud.evidence import store as evidence
from cloud.evidence.files import EvidenceFiles
from cloud.evidence.pruning import prune
from cloud.evidence.retention import PrunableFile, PruneReason
from cloud.proof import originals
from cloud.proof.originals import FETCHED_WITHIN, LASTS, UnsealRequest
from edge.contract.answer import Refusal
from edge.contract.downlink import CommandName
from edge.contract.originals import MOST_FILES, OriginalState

AT_ONCE: Final = 500
NODES_AT_ONCE: Final = 50
AGAIN_AFTER: Final = timedelta(seconds=30)
"""A command that brought nothing is followed by another after this, after twice this, and so on."""
LONGEST_WAIT: Final = timedelta(hours=1)
REMIND_AFTER: Final = timedelta(hours=1)
"""So long after a node said that it sends a file it is asked where that is."""
STAYS_AFTER: Final = timedelta(minutes=15)
"""What was handed out goes after this: whoever takes it has a slow line."""

CONFIRMED_WITHIN: Final = timedelta(hours=1)
"""A copy goes when its node has said within this that it has the file itself."""
DENIED_AGAIN_AFTER: Final = timedelta(days=1)
"""A node that has the file no more is asked again after this: until then, and if it stays so, the copy is the last one."""

UNKEPT_AGAIN_AFTER: Final = timedelta(hours=1)
"""A node that could not promise to keep a file is asked anew after this, after twice this, and so on."""
UNKEPT_LONGEST_WAIT: Final = timedelta(days=1)
UNKEPT_REPEATS: Final = 60
"""So often, which is about two months: longer than a node keeps an original unasked."""

LONGEST_WORDS: Final = 300

REFUSED: Final = "refused"
"""The answer of a node that knows no such orders: an older one, which sends its originals unasked."""

_COMMANDS: Final = {"upload": CommandName.UPLOAD_SEALED, "keep": CommandName.KEEP_SEALED}
_UNKEPT: Final = frozenset({OriginalState.GONE.value, OriginalState.NO_ROOM.value, REFUSED})

_queries = load("cloud.proof")


def sweep(pool: Pool, *, now: datetime) -> int:
    """Make the orders that are due, read what nodes have answered, and bring them what they have not heard; how much moved."""
    with pool.connection() as conn:
        _queries.lock_orders(conn)
        moved: int = settle(conn, now=now)
        moved += _queries.remind(conn, now=now, asked_before=now - REMIND_AFTER)
        moved += place(conn, now=now)
    with pool.connection() as conn:
        # on its own: it takes the locks of files before any of a case, as whoever deletes one does
        _queries.lock_orders(conn)
        moved += advance(conn, now=now)
    with pool.connection() as conn:
        _queries.lock_orders(conn)
        return moved + bring(conn, now=now)


def place(conn: Connection[Any], *, now: datetime) -> int:
    """Order what people are allowed to see, what held cases need, and a word on copies that are to go; how many files."""
    made: int = _queries.order_uploads(conn, now=now, count=AT_ONCE)
    made += _queries.order_keeping(conn, now=now, count=AT_ONCE)
    made += _queries.end_keeping(conn, now=now, count=AT_ONCE)
    made += _queries.repeat_keeping(
        conn,
        now=now,
        first_wait=UNKEPT_AGAIN_AFTER,
        longest_wait=UNKEPT_LONGEST_WAIT,
        most=UNKEPT_REPEATS,
        count=AT_ONCE,
    )
    made += _queries.order_confirming(
        conn,
        now=now,
        handed_before=now - STAYS_AFTER,
        confirmed_before=now - CONFIRMED_WITHIN,
        denied_before=now - DENIED_AGAIN_AFTER,
        count=AT_ONCE,
    )
    return made


def settle(conn: Connection[Any], *, now: datetime) -> int:
    """Read what came of the commands; how many orders are answered. What came to nothing is tried again later."""
    unkept: dict[tuple[int, str, str], int] = {}
    answered = 0
    for row in list(_queries.orders_to_settle(conn, count=AT_ONCE)):
        answer = answer_of(row.state, row.reason, row.result, row.sha256)
        where = {"node": row.node, "sha256": row.sha256, "wish": row.wish}
        if answer is None:
            wait = min(AGAIN_AFTER * 2 ** min(row.tries, 10), LONGEST_WAIT)
            _queries.try_order_again(conn, **where, next_at=now + wait)
            continue
        words = words_of(row.result, row.sha256)
        _queries.settle_order(conn, **where, answer=answer, words=words, asked_at=row.asked_at, now=now)
        answered += 1
        # what was said before is not said again, however often the node is asked
        if row.wish == "keep" and answer in _UNKEPT and answer != row.unkept:
            for case in _queries.cases_of_file(conn, node=row.node, sha256=row.sha256):
                key = case.case_id, row.node, answer
                unkept[key] = unkept.get(key, 0) + 1
    for (case_id, node, answer), count in sorted(unkept.items()):
        case_rows.add_event(conn, case_id, HistoryAction.HOLD_UNKEPT, at=now, note=f"{node}: {answer} {count}")
        cases.announce(conn, case_id, "case.updated")
    return answered


def answer_of(state: str | None, reason: str | None, result: Any, sha256: str) -> str | None:
    """What a node says of a file; None where it has said nothing that can be read, and has to be asked again. Pure."""
    if state == CommandState.REFUSED and reason == Refusal.UNSUPPORTED:
        return REFUSED
    files = result.get("files") if state == CommandState.DONE and isinstance(result, dict) else None
    told = files.get(sha256) if isinstance(files, dict) else None
    return told if isinstance(told, str) and told in set(OriginalState) else None


def words_of(result: Any, sha256: str) -> str | None:
    """What a node says of a file besides how it stands: why the service did not take it. Pure."""
    reasons = result.get("reasons") if isinstance(result, dict) else None
    words = reasons.get(sha256) if isinstance(reasons, dict) else None
    return words.replace("\0", "")[:LONGEST_WORDS] if isinstance(words, str) else None


def advance(conn: Connection[Any], *, now: datetime) -> int:
    """Tell those who asked that a file has come, or never will; how many. What went before it was opened is waited for again."""
    ready = list(_queries.requests_ready(conn, now=now, count=AT_ONCE))
    bereft = list(_queries.requests_bereft(conn, now=now, count=AT_ONCE))
    for sha256 in sorted({row.sha256 for row in (*ready, *bereft)}):
        evidence.lock_file(conn, sha256)
    moved = 0
    for row in bereft:
        moved += _queries.mark_bereft(conn, request_id=row.id, expires_at=now + FETCHED_WITHIN)
    for request in _requests(conn, ready):
        if _queries.mark_ready(conn, request_id=request.id, now=now, expires_at=now + LASTS):
            originals.note(conn, None, request, HistoryAction.UNSEAL_READY, now=now, address=None)
            moved += 1
    for request in _requests(conn, _queries.requests_gone(conn, now=now, count=AT_ONCE)):
        if _queries.mark_gone(conn, request_id=request.id, now=now):
            originals.note(conn, None, request, HistoryAction.UNSEAL_GONE, now=now, address=None)
            moved += 1
    return moved + _end_unserved(conn, now=now)


def _end_unserved(conn: Connection[Any], *, now: datetime) -> int:
    """Tell those who were allowed to see what did not come, and why; how many."""
    moved = 0
    for row in list(_queries.requests_unserved(conn, now=now, count=AT_ONCE)):
        [request] = _requests(conn, [row])
        if _queries.mark_unserved(conn, request_id=row.id, now=now, reason=row.reason):
            words = row.reason if row.words is None else f"{row.reason}: {row.words}"
            originals.note(conn, None, request, HistoryAction.UNSEAL_UNSERVED, now=now, address=None, words=words)
            moved += 1
    return moved


def _requests(conn: Connection[Any], rows: Iterable[Any]) -> list[UnsealRequest]:
    found = [_queries.unseal_request(conn, request_id=row.id, scope="") for row in list(rows)]
    return [UnsealRequest(**row._asdict()) for row in found if row is not None]


def bring(conn: Connection[Any], *, now: datetime) -> int:
    """Ask the nodes that are present; how many files. One command of a kind runs at a node at a time, the others wait."""
    brought = 0
    for row in list(_queries.nodes_to_order(conn, now=now, count=NODES_AT_ONCE)):
        orders = list(
            _queries.orders_of_node(conn, node=row.node, wish=row.wish, until=row.until, now=now, count=MOST_FILES)
        )
        if not orders:
            continue
        first, names = orders[0], [each.sha256 for each in orders]
        actor = Principal(first.account_id, first.name, first.display_name, Role(first.role), None, "")
        until = None if row.until is None else row.until.isoformat()
        arguments = {"files": names} if until is None else {"files": names, "until": until}
        try:
            asked = commands.ask(
                conn,
                _COMMANDS[row.wish],
                node=row.node,
                actor=actor,
                now=now,
                arguments=arguments,
                noted={"files": len(names)},
            )
        except (CommandRunning, NodeAway, NotFound):
            later = now + AGAIN_AFTER
            _queries.defer_orders(conn, node=row.node, wish=row.wish, until=row.until, now=now, next_at=later)
            continue
        _queries.bring_orders(conn, node=row.node, wish=row.wish, names=names, command_id=asked.id)
        brought += len(names)
    return brought


def drop_fetched(pool: Pool, files: EvidenceFiles, *, now: datetime) -> int:
    """Let the copies go that were fetched for people, that nobody may see any more, and that their nodes have; how many. Raises EvidenceStoreAway."""
    with pool.connection() as conn:
        names = {row.sha256 for row in _fetched(conn, None, now=now)}
    gone = 0
    for sha256 in sorted(names):
        with pool.connection() as conn:
            # whoever allows somebody to see it takes the same lock: what was true before may not be so any more
            evidence.lock_file(conn, sha256)
            for row in _fetched(conn, sha256, now=now):
                due = PrunableFile(row.node, row.sha256, row.kind, "", row.bytes, PruneReason.FETCHED)
                gone += prune(conn, files, due, now=now, actor_name="originals")
    return gone


def _fetched(conn: Connection[Any], sha256: str | None, *, now: datetime) -> list[Any]:
    return list(
        _queries.fetched_files(
            conn,
            now=now,
            handed_before=now - STAYS_AFTER,
            confirmed_since=now - CONFIRMED_WITHIN,
            sha256=sha256,
            count=AT_ONCE,
        )
    )
