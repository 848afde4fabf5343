"""For the office: whether what came home of a device's blankings is all of it."""
