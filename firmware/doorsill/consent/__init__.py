"""Whether a card may open the vault: pure decisions, without disk or device."""
