"""Layers for images, and for anything else that lies on a grid of one, two or three axes."""
