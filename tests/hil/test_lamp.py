"""The consent lamp on real hardware, to be watched on the board itself.

DOORSILL_LAMP=pinctrl-rp1:27    pytest tests/hil/test_lamp.py
"""

import os
import time

import pytest

from doorsill.drivers.gpio.lamp import ConsentLamp
from doorsill.drivers.gpio.line import parse_place
from doorsill.drivers.gpio.output import GpiodOutput

WATCHED_S = 1.0


def test_it_is_lit_and_goes_out():
    named = os.environ.get("DOORSILL_LAMP")
    if not named:
        pytest.skip("DOORSILL_LAMP names no line")
    output = GpiodOutput("lamp_line", *parse_place("lamp_line", named))
    lamp = ConsentLamp(output)
    assert not output.read()
    lamp.show(True)
    assert output.read()
    time.sleep(WATCHED_S)  # for the person who watches it
    lamp.show(False)
    assert not output.read()
    lamp.close()
