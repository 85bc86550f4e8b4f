"""Deadlines (时限): the working calendar, and the clock of what a case waits for. Knows no cases: stages are words."""
