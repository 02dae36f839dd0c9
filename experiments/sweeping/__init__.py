"""Sweeps: every combination of some settings, trained together where they differ in numbers."""
