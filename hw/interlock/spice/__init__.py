"""The board in ngspice: models, decks, scenarios, what is measured and asserted."""
