"""From the broker into a store."""
