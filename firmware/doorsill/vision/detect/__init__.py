"""Where in a picture people are."""
