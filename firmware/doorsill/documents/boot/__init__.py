"""What a person reads and writes on the boot partition of a camera's card."""
