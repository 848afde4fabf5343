"""The inspector's part: what a blanking certificate says, and whether it is true."""
