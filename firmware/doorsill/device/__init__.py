"""Who this device is, what it may do and how it fares."""
