"""The end of a device: its vault blank and certified, its key void, a record of it."""
