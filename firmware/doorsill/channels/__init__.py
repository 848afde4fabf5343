"""All that crosses a wall between two processes of a camera."""
