"""The node process: constructs the parts, starts them, stops them. What the parts do stands below this layer."""
