"""What is wired to a camera beside its sensor, as lines of ``doorsill.txt``.

Without such a line nothing is: no face can rest in the camera, and none of its
processes sees a pin but the status lamp's.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from functools import partial

from doorsill.documents.boot import values
from doorsill.documents.boot.lines import Lines

KEYS = {
    "reader": "reader = uTrust 3700",
    "consent-lamp": "consent-lamp = pinctrl-rp1:27",
    "key-switch": "key-switch = pinctrl-rp1:17",
    "interlock": "interlock = pinctrl-rp1:22",
    "memory": "memory = /dev/spidev0.0",
    "status-lamp": "status-lamp = pinctrl-rp1:24",
}  # every key, with a line of it
PINS = ("consent-lamp", "key-switch", "interlock", "status-lamp")  # no two are one
VAULTS = ("consent-lamp", "key-switch", "interlock", "memory")  # without one of no use
ABOUT = """
# What is wired to the camera. With a card reader it has a vault for faces, if the
# policy allows one; a pin is CHIP:LINE, and the chip of a Pi 4 is pinctrl-bcm2711.
"""


@dataclass(frozen=True, slots=True)
class Wiring:
    """One value for each of KEYS, in their order; "" where nothing is said."""

    reader: str = ""  # a part of the card reader's name; with it there is a vault
    consent_lamp: str = ""  # CHIP:LINE, as the next two
    key_switch: str = ""
    interlock: str = ""  # the pin of the board's watchdog
    memory: str = ""  # the board's, as a device file
    status_lamp: str = ""  # the name of a line, or CHIP:LINE; the usual one if ""


def read_wiring(given: Lines) -> Wiring:
    """What ``given`` says of it; problems are noted there."""
    found = Wiring(
        given.value("reader", values.read_reader, ""),
        given.value("consent-lamp", partial(values.read_pin, "consent-lamp"), ""),
        given.value("key-switch", partial(values.read_pin, "key-switch"), ""),
        given.value("interlock", partial(values.read_pin, "interlock"), ""),
        given.value("memory", values.read_memory, ""),
        given.value("status-lamp", values.read_status_lamp, ""),
    )
    given.require_with("reader", *VAULTS)
    given.require_different(*PINS)
    return found


def wiring_rows(wiring: Wiring) -> list[tuple[str, str]]:
    """Each key that says something, with its value."""
    said = zip(KEYS, astuple(wiring), strict=True)
    return [(key, value) for key, value in said if value]
