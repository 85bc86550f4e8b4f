"""A dead letter goes to ingest again: after an upgrade that can read it, or once what kept it out is mended."""

from typing import Any

from psycopg import Connection

from cloud.errors import Conflict, NotFound
from cloud.ingest.model import Arrival, Message
from cloud.ingest.reading import read
from cloud.refusals import store as refusals


def replay(conn: Connection[Any], letter_id: int) -> None:
    """Hand a dead letter to ingest, which takes it in within a second or makes a new letter of it.

    Safe at any time: it goes the way of what quarantine releases, and what is there already counts by its natural key. Raises
    NotFound, and Conflict where the letter was cut or still can't be read.
    """
    letter = refusals.letter(conn, letter_id)
    if letter is None:
        raise NotFound(f"there is no dead letter {letter_id}")
    if not letter.is_whole:
        raise Conflict(
            f"of letter {letter_id} only the first {len(letter.payload)} of {letter.size_bytes} bytes are kept"
        )
    item = read(Arrival(letter.topic, letter.payload, letter.at))
    if not isinstance(item, Message):
        reason = getattr(item, "reason", "no message that is kept")
        raise Conflict(f"letter {letter_id} still can't be taken: {reason}")
    if not refusals.requeue(conn, letter, item.topic, item.envelope.id):
        raise Conflict(f"the message of letter {letter_id} waits in quarantine")
    refusals.remove(conn, letter_id)
