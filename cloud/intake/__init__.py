"""What people and other programs report (上报): a grid worker's own find, residents' requests, hotlines, other platforms."""
