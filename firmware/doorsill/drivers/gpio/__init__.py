"""Single lines of the machine: the key switch and the consent lamp."""
