"""Training of our own detector. PyTorch is used here and nowhere else; nothing here is imported at run time."""
