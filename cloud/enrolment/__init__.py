"""Enrolment of nodes (登记): one-time claim codes, the keys that nodes bring, credentials with an end and their renewal."""
