"""The fleet's certification authority."""
