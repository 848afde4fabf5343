"""Single lines of the machine: key switch, consent lamp, the board's watchdog."""
