"""``python -m doorsill``."""

from doorsill.cli.main import main

main()
