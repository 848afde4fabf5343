"""From solids to pixels."""
