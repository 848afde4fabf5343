"""Films of invented doors and people, and what is true in them."""
