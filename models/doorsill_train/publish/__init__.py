"""From weights to a model that ships, with its card."""
