"""Writes cards: an image, verified, and what brings its camera into service."""
