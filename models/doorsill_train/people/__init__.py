"""Invented people: bodies, gaits, clothes."""
