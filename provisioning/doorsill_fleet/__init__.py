"""The office's side of a fleet: an authority, a broker, a subscriber, a demo."""
