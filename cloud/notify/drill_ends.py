"""Telling those who took part in a drill that it is over, and from now on all is real.

Nobody hears of it outside of the page where the drill did not reach there.
"""

from collections.abc import Callable, Collection
from datetime import datetime, tzinfo
from typing import Any, Final

from psycopg import Connection

from cloud.notify import store
from cloud.notify.model import Audience, Because, Manner, Preference, Urgency
from cloud.notify.policy import DRILL_ENDED, quiet_end
from cloud.notify.store import queries
from cloud.notify.warning import Made

Roster = Callable[[Connection[Any], str, datetime], Collection[int]]
"""Accounts that have the shift at a place and time."""

AT_A_LOOK: Final = 100


def tell_all(conn: Connection[Any], *, roster: Roster, zone: tzinfo, now: datetime) -> list[Made]:
    """Make the notices of drills whose end nobody was told of yet, and queue those that go out of the page.

    Took part who started, prolonged or ended it, who was told of one of its cases or acted on it, and its departments.
    Of a drill all are told in the one transaction that notes it.
    """
    made: list[Made] = []
    for drill in list(queries.untold_drill_ends(conn, count=AT_A_LOOK)):
        made += _tell(conn, drill, roster(conn, drill.area_path, now), zone=zone, now=now)
        queries.drill_end_told(conn, drill_id=drill.id, now=now)
    return made


def _tell(conn: Connection[Any], drill: Any, on_duty: Collection[int], *, zone: tzinfo, now: datetime) -> list[Made]:
    people = [row.account_id for row in queries.took_part(conn, drill_id=drill.id)]
    wanted = store.preferences(conn, people)
    made: list[Made] = []
    for account_id in people:
        is_quiet = account_id not in on_duty and quiet_end(now, wanted.get(account_id, Preference()), zone) is not None
        because = Because.QUIET_FACT if account_id == drill.ended_by else Because.NEWS
        because = Because.QUIET_HOURS if is_quiet else because
        manner = Manner.RING if because is Because.NEWS else Manner.QUIET
        notice_id = queries.insert_drill_end(
            conn,
            account_id=account_id,
            drill_id=drill.id,
            word=DRILL_ENDED,
            audience=Audience.NAMED.value,
            urgency=Urgency.RING.value,
            manner=manner.value,
            because=because.value,
            area_code=drill.area_code,
            area_name=drill.area_name,
            cases=drill.cases,
            now=now,
        )
        if notice_id is None:
            continue
        if manner is Manner.RING and drill.channels:
            queries.queue_first(conn, notice_id=notice_id, account_id=account_id, now=now)
        made.append((notice_id, account_id, manner))
    return made
