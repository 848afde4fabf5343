"""One file for each process: what it opens from a configuration, and its loop."""
