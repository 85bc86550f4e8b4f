"""A district to try things with. Its names and outlines are made up; only the form of its codes is real."""

from pathlib import Path

DOCUMENT = Path(__file__).with_name("areas.geojson")
"""GeoJSON: one district, 3 streets, 6 communities, 60 grids."""
