"""What runs here is said in every interval, with the hashes that are shipped."""

from __future__ import annotations

import doorsill
from doorsill.wire.messages import LineInterval
from doorsill.wire.rules import fields_of


def test_the_version_of_this_firmware_fits_the_wire() -> None:
    (rule,) = [rule for name, _, rule in fields_of(LineInterval) if name == "firmware"]
    rule.check(doorsill.__version__, "firmware")
