"""The one place where a face can rest, and how it is kept shut."""
