"""A shop in a folder, for the demo and the tests."""
