"""What cameras may do: a shop's draft, its signed documents, and how they travel."""
