"""In tests: asserts, strategies, and the plugin of pytest."""
