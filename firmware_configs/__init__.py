"""Device profiles: immutable once signed, rolled out in rings."""
