"""Which detections of two pictures are one person."""
