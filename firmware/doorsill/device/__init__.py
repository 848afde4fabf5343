"""Who this device is, and its health."""
