"""How our models are made: invented people are filmed, learned from and judged."""
