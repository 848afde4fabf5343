"""Our own electrical rules: each takes the board and gives what is wrong with it."""
