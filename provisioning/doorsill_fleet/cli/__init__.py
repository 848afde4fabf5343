"""The office's commands."""
