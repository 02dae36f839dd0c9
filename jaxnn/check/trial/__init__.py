"""One check, from the problem to the report."""
