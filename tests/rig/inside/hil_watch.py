"""In the guest: each change of what the vault says of itself, a line of JSON each.

    python hil_watch.py SOCKET LOG

A shell would start a Python for each question, which takes seconds in a guest.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from doorsill.channels.control import ask
from doorsill.errors import DoorsillError

LOOK_S = 0.1


def main() -> None:
    """For ever."""
    path, log = Path(sys.argv[1]), Path(sys.argv[2])
    last: dict[str, object] = {}
    with log.open("a", buffering=1) as file:
        while True:
            try:
                said = ask(path, "status")[0]
            except (DoorsillError, OSError, ValueError):
                said = {"state": "away", "verified_blank": False}
            if said != last:
                file.write(json.dumps({"at": time.time(), **said}) + "\n")
                last = said
            time.sleep(LOOK_S)


if __name__ == "__main__":
    main()
