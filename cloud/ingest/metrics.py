"""What ingest counts, for /metrics."""

from prometheus_client import Counter, Gauge, Histogram

RECEIVED = Counter("gridward_ingest_received_total", "Messages from the broker", ["channel"])
OUTCOMES = Counter("gridward_ingest_messages_total", "Messages by what became of them", ["outcome", "reason"])
REFUSED = Counter("gridward_ingest_refused_total", "Messages that could not be taken, answered or not", ["reason"])
LETTERS_LEFT_OUT = Counter(
    "gridward_ingest_dead_letters_left_out_total", "Refused messages of senders that had too many, counted and not kept"
)
FLOOD = Counter("gridward_ingest_flood_total", "Messages of nodes that sent too many, left for them to send again")
MENDED = Counter("gridward_ingest_mended_total", "Messages taken in with something replaced", ["what"])
READINGS = Counter("gridward_ingest_readings_total", "Readings taken, those that were there already included")
READINGS_NEW = Counter("gridward_ingest_readings_new_total", "Readings that became rows")
CLAMPED = Counter(
    "gridward_ingest_clamped_total", "Times in the future or before 2000, replaced by that of the receipt", ["what"]
)
CORRECTED = Counter(
    "gridward_ingest_corrected_incidents_total", "Incidents whose node has found out that its clock was wrong"
)
IGNORED = Counter(
    "gridward_ingest_ignored_readings_total", "Readings and states of devices that a person does not want, left out"
)
LOST_BEHIND = Counter("gridward_ingest_quarantine_refused_total", "Messages that found no room in quarantine")
COMMITS = Histogram(
    "gridward_ingest_commit_seconds",
    "From the begin of a transaction to its commit",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
BATCH_MESSAGES = Histogram(
    "gridward_ingest_batch_messages", "Messages per transaction", buckets=(1, 2, 5, 10, 20, 50, 100, 200)
)
RETRIES = Counter("gridward_ingest_retries_total", "Transactions tried again", ["reason"])
ERRORS = Counter("gridward_ingest_errors_total", "Failures that nobody foresaw; each is in the log")
QUARANTINED = Gauge("gridward_ingest_quarantined_messages", "Messages that wait in quarantine", ["reason"])
DISCARDED = Gauge("gridward_ingest_discarded_messages", "Messages that operators discarded from quarantine, ever")
DEAD_LETTERS = Gauge("gridward_ingest_dead_letters", "Refused messages that are kept", ["reason"])
MISSING = Gauge("gridward_ingest_missing_messages", "Numbered by present sessions and not received yet", ["lane"])
FORGETFUL = Gauge(
    "gridward_ingest_database_forgetful", "Settings by which the database may forget what was acknowledged"
)
WAITING = Gauge("gridward_ingest_waiting_messages", "Messages received and not yet committed", ["precedence"])
