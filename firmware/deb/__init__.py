"""How doorsill gets onto a machine: one list of files, and Debian packages of it."""
