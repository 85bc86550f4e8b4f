"""Commands to nodes (命令): asked for by people, sent by the process that has the broker, answered by the node or timed out."""
