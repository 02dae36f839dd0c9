"""Where a function has no derivative, and how far from there a point is."""
