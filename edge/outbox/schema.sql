-- The store of a node. Times are microseconds since 1970; `row` grows in the order of acceptance. Event times are told by the
-- clock of `timebase` and corrected when they leave (edge/clock.py); null: by a clock that is not the node's, never corrected.

CREATE TABLE series (
    id     INTEGER PRIMARY KEY,
    device TEXT NOT NULL,
    point  TEXT NOT NULL,
    UNIQUE (device, point)
);

-- Readings that no message has been formed of yet. `value` is a number, or a text for a change of state.
CREATE TABLE reading (
    row            INTEGER PRIMARY KEY,
    series         INTEGER NOT NULL REFERENCES series (id),
    observed_at_us INTEGER NOT NULL,
    value          NOT NULL,
    flag           INTEGER NOT NULL,
    replayed       INTEGER NOT NULL,
    accepted_at_us INTEGER NOT NULL,
    timebase       INTEGER
);
CREATE INDEX reading_in_order ON reading (replayed, accepted_at_us, row);

-- Declared drops that no message has been formed of yet: one row per device and reason, so their number is bounded.
CREATE TABLE gap (
    device  TEXT NOT NULL,
    reason  TEXT NOT NULL,
    from_us INTEGER NOT NULL,
    to_us   INTEGER NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (device, reason)
);

-- Messages as they are sent, until the cloud has acknowledged them.
CREATE TABLE record (
    row            INTEGER PRIMARY KEY,
    message_id     BLOB NOT NULL UNIQUE,
    channel        TEXT NOT NULL,
    lane           TEXT NOT NULL,
    accepted_at_us INTEGER NOT NULL,
    replayed       INTEGER NOT NULL,
    readings       INTEGER NOT NULL,
    body           BLOB NOT NULL,
    timebase       INTEGER
);
CREATE INDEX record_in_order ON record (lane, accepted_at_us, row);

-- `original`: sealed, kept here and sent when the cloud orders it, until `wanted_until_us`; it stays after that as well. Nothing lets go
-- of it before `held_until_us`.
CREATE TABLE evidence (
    sha256          TEXT PRIMARY KEY,
    message_id      BLOB NOT NULL,
    mime            TEXT NOT NULL,
    bytes           INTEGER NOT NULL,
    captured_at_us  INTEGER NOT NULL,
    ready           INTEGER NOT NULL DEFAULT 0,
    attempts        INTEGER NOT NULL DEFAULT 0,
    next_at_us      INTEGER NOT NULL DEFAULT 0,
    severity        INTEGER NOT NULL DEFAULT 0,
    kind            TEXT NOT NULL DEFAULT '',
    original        INTEGER NOT NULL DEFAULT 0,
    wanted_until_us INTEGER NOT NULL DEFAULT 0,
    held_until_us   INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX evidence_by_message ON evidence (message_id);

-- Which incidents name a file that waits, and the newest revision of each of them. `dropped`: so many of its files were let go of, and no
-- revision tells of it yet.
CREATE TABLE naming (
    sha256      TEXT NOT NULL,
    incident_id BLOB NOT NULL,
    PRIMARY KEY (sha256, incident_id)
);
CREATE INDEX naming_by_incident ON naming (incident_id);
CREATE TABLE named (
    incident_id BLOB PRIMARY KEY,
    body        BLOB NOT NULL,
    timebase    INTEGER,
    dropped     INTEGER NOT NULL DEFAULT 0
);

-- The newest revision of every incident that has not ended, so that a restart can go on with it or end it.
CREATE TABLE ongoing (
    incident_id BLOB PRIMARY KEY,
    body        BLOB NOT NULL,
    timebase    INTEGER
);

CREATE TABLE dead_letter (
    row      INTEGER PRIMARY KEY AUTOINCREMENT,
    subject  TEXT NOT NULL,
    channel  TEXT NOT NULL,
    reason   TEXT NOT NULL,
    at_us    INTEGER NOT NULL,
    body     BLOB NOT NULL,
    timebase INTEGER
);

-- What sources have to know after a crash: marks of the messages whose readings were kept, the newest of each source.
CREATE TABLE receipt (
    row    INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    mark   BLOB NOT NULL
);

CREATE TABLE counter (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
);

CREATE TABLE fact (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
