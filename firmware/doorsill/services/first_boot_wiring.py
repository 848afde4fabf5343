"""What is wired to a camera: from doorsill.txt into its configuration.

    doorsill.txt ─► [consent] of doorsill.toml ─► doorsill-devices ─► the vault's unit

The configuration stays on the device. systemd reads it at each start, and again when it
is asked to: then the vault's unit sees the devices that are named, and no other.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from doorsill.config import load_config
from doorsill.documents.boot.wiring import Wiring
from doorsill.documents.durable import FOR_ALL, put
from doorsill.documents.folders import make_folder
from doorsill.documents.reading import read_file, read_if_there
from doorsill.errors import ConfigError

DUE = Path("run/doorsill-wiring/due")  # below the root: what has to start again
ALL, VAULT = "doorsill.target", "doorsill-vault.service"
MARK = "# From doorsill.txt: a change there replaces all that stands below.\n"
CA = "consent-ca.pem"  # what the fleet gave
OWN = re.compile(r"(?m)^[^\w#\n]*consent")  # a section that nobody here has written


def write_wiring(path: Path, wiring: Wiring, due: Path) -> str | None:
    """Set [consent] of the configuration at ``path``; the unit that has to start again.

    ``due`` holds its name until somebody takes the file away, also over a process that
    ends. ConfigError where there is a section of its own already, which stays as it is.
    """
    try:
        before = read_file(path).decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not text in UTF-8") from None
    rest, mark, _ = before.partition(MARK)
    wanted = _section(wiring)
    if wanted and OWN.search(rest):
        raise ConfigError(
            "the camera's configuration has a [consent] of its own; take `reader` and "
            "what belongs to it out of this file, or [consent] out of that one"
        )
    text = rest.rstrip("\n") + "\n" + (f"\n{MARK}{wanted}" if wanted else "")
    if text != before and (wanted or mark):
        whole = due.exists() or bool(wanted) != bool(mark)  # others look at it as well
        make_folder(due.parent)
        put(due, (ALL if whole else VAULT).encode(), FOR_ALL)
        put(path, text.encode(), FOR_ALL)
    found = read_if_there(due)
    return None if found is None else found.decode("ascii", "replace")


def site_of(path: Path) -> str:
    """Whose camera the configuration says it is; "" where it is wrong."""
    try:
        return load_config(path).device.site
    except ConfigError:
        return ""


def _section(wiring: Wiring) -> str:
    """The section as TOML; "" without a card reader: then there is no vault."""
    if not wiring.reader:
        return ""
    said = {
        "ca": CA,
        "reader": wiring.reader,
        "lamp_line": wiring.consent_lamp,
        "gpio_line": wiring.key_switch,
        "watchdog_line": wiring.interlock,
        "medium": f"spi:{wiring.memory}" if wiring.memory else "",
    }
    rows = [f"{key} = {json.dumps(value)}\n" for key, value in said.items() if value]
    return "[consent]\n" + "".join(rows)
