"""OCPP 1.6J (开放充电点协议): the node as the central system of charging piles.

`frames` → `station_clock` and `mapping` (with `faults`, `meter`, `transactions`) are pure; `station` is one connection, `admission` decides who
may come in, `commits` keeps what many stations say together, `server` is the thread with its loop, and `source` what the node sees of it all.
"""
