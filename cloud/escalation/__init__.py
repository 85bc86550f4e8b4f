"""Escalation (升级, 四级吹哨): what clocks fire, who is called by a whistle, and whether anybody is there to be told."""
