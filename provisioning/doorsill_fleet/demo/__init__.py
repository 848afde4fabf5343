"""``doorsill demo``: the whole system on one machine, against the known truth."""
