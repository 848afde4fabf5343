"""What a process may do: locks of the kernel, a room, signals, locked memory."""
