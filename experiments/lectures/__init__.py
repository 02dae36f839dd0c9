"""What retells the lecture notes: derivations, recorded runs, demonstrations."""
