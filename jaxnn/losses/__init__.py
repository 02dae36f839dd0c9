"""Losses and penalties: a value and its derivative."""
