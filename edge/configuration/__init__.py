"""The configuration file (`node.yaml`): read, checked, and shown by example."""
