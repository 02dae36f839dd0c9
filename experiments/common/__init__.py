"""What every room may use: failures, run folders, caches, plots."""
