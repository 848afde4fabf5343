"""What a path means: a line crossed, a zone entered."""
