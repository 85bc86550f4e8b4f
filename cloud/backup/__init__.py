"""Backup and restore of a cloud: its database and its evidence, in a folder whose every byte is hashed."""
