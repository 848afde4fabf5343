"""What an office keeps, and makes for each camera."""
