"""What a check has found: as data, as text, as the report that a caller gets."""
