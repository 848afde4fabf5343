"""What a device may do: the signed policy, its draft, and the sign at the door."""
