"""What a wrong gradient looks like, and which mistake makes it look so."""
