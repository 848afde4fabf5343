"""The process that holds faces, and blanks them."""
