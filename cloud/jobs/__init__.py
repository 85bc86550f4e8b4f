"""Jobs: idempotent sweeps, run by one process at a time."""
