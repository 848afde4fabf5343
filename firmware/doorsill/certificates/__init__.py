"""For the inspector: what a blanking certificate says, and whether it can be true."""
