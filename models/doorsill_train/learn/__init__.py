"""The networks, what they see, and how they learn."""
