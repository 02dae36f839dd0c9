"""Layers: each one class, forward and backward side by side."""
