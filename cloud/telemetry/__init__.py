"""Telemetry (遥测): readings and their rollups, changes of state, declared gaps."""
