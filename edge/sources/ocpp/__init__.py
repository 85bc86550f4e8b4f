"""OCPP 1.6J (开放充电点协议): the node as the central system of charging piles.

`frames` → `messages` → `pile` (with `station_clock`, `faults`, `meter`, `transactions`) and `orders` say what is meant, and are pure but for sending; `station` is one
connection at its `pace`, `admission` decides who may come in, `server` is the listener, and `source` the thread with its loop, as the node sees it.
"""
