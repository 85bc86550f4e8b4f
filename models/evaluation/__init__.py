"""Evaluation of detectors on labelled pictures. Never imported at run time."""
