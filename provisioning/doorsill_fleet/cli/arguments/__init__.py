"""What each of the office's commands takes."""
