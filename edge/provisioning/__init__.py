"""Who the node is and what it may: for now, secrets from files."""
