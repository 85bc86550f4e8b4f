"""The edge node: sources, perception, rules, evidence, outbox, uplink (边缘节点)."""
