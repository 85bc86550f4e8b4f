"""What this machine carries, measured: `gridward-edge bench`."""
