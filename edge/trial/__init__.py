"""Zones and rules tried on what cameras have seen (规则试算): what would have been told, and what was."""
