"""Age group and expression of who crosses, read from a few frames."""
