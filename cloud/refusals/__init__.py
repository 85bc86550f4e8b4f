"""Refusals (拒收): what could not be taken in, counted by node and reason, and kept as dead letters within bounds."""
