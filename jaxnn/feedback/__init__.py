"""Other ways back than the transpose."""
