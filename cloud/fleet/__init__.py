"""The fleet: nodes and devices, what their births say of them, whether they are there, and the secrets they hold."""
