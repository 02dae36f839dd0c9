"""Mistakes planted on purpose, to tell what a check would have caught."""
