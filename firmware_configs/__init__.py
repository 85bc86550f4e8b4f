"""Profiles of device kinds (配置档), immutable once signed, and how whatever nodes are given is signed and verified.

Pure Python that both sides import: the cloud verifies what it hands out, a node what it takes in.
"""
