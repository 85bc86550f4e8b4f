"""The uplink (上行): from the outbox to the cloud, and the cloud's acknowledgements back."""
