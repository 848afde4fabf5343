"""All that can leave a camera: the messages, their schema, and the guard."""
