"""The database: a pool, named SQL from files, migrations, and the lock that makes one process the leader."""
