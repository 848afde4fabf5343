"""From pixels to closed windows; no network, no disk."""
