"""The outbox: what the node accepted, kept on disk until the cloud itself has acknowledged it. The one door to sqlite3."""
