"""Outside bytes read strictly, and written so that a power cut loses nothing."""
