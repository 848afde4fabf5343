"""``python -m doorsill``."""

from doorsill.cli import main

main()
