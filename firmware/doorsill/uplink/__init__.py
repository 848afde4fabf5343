"""From closed windows to the broker; never sees a pixel."""
