"""Rollouts (批次升级): signed profiles, models and programs brought to nodes by rings and stages, watched, and turned back."""
