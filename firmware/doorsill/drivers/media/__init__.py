"""Where sealed faces may lie: memory, a partition, a file, a chip without power."""
