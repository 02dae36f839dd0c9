"""Reference values from numbers: differences, complex steps, and what a jaxpr tells."""
