"""Which models there are, by name or by file, and which of them may run."""
