"""The right gradient, and how far off rounding may take it."""
