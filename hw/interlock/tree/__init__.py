"""What Linux learns of the board: the overlay, and the EEPROM that names it."""
