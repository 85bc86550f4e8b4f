"""Labelled pictures on disk: what each set labels, and which pictures are held out. Used by training and by evaluation."""
