"""What a failed transaction means: wait for the database, try again, or look for the one message that is to blame. Pure."""

from enum import Enum, auto

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

_DATA_CLASSES = frozenset({"22", "23", "54"})  # data exception, constraint violation, program limit exceeded
_CONTENTION_CLASSES = frozenset({"40", "55"})  # transaction rollback (deadlock, serialisation), object not in state
_CONTENTION_STATES = frozenset({"57014"})  # cancelled, by the statement time-out


class Failure(Enum):
    """`AWAY`: hold everything until the database is back, or has the schema that this code needs. `CONTENTION`: try
    again a few times. `DATA`: the same messages fail again.
    """

    AWAY = auto()
    CONTENTION = auto()
    DATA = auto()


def classify(error: Exception) -> Failure:
    """What to do about an error of a transaction. What is no error of the database at all counts as the message's."""
    if isinstance(error, (PoolTimeout, PoolClosed, TooManyRequests)):
        return Failure.AWAY
    if isinstance(error, psycopg.DataError):
        return Failure.DATA  # psycopg raises it by itself too, without a state
    if not isinstance(error, psycopg.Error):
        return Failure.DATA
    state = error.sqlstate or ""
    if state[:2] in _DATA_CLASSES:
        return Failure.DATA
    if state[:2] in _CONTENTION_CLASSES or state in _CONTENTION_STATES:
        return Failure.CONTENTION
    return Failure.AWAY
