"""Where what cameras sent is kept."""
