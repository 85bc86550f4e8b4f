"""Ingest (接入): what nodes send becomes rows, each message once, acknowledged after the commit."""
