"""The organisation (组织): sites, estates, teams of grids, who is on duty, and where workers on duty are."""
