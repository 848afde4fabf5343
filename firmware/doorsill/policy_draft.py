"""A policy to begin with: TOML that is valid as it stands and is made to be edited."""

from __future__ import annotations

from doorsill.errors import ConfigError

CONTROLLER = "name and address of who is responsible"
DRAFT = """\
# What this device may do. Edit, then: doorsill policy sign FILE --key controller.key
format = "doorsill-policy/1"
version = {version}                     # a device applies only a higher one
site = "{site}"
purpose = "{purpose}"
controller = "{controller}"
timezone = "{timezone}"

# Apparent age band and gender expression: off, unless a notice hangs at the door.
attributes = {attributes}
{notice}
k = 10                          # smallest group published; 10 is the floor
epsilon_per_day = 1.0           # privacy budget a day; 2.0 is the ceiling

# x to the right, y down, fractions of the picture. IN is from the left of the
# directed line to its right.
[[lines]]
id = "door"
points = {points}

# [[zones]]
# id = "staff"
# kind = "exclude"              # or "count"
# polygon = [[0.8, 0.0], [1.0, 0.0], [1.0, 0.4]]

# [[hours]]                     # without any, always open
# days = ["mon", "tue", "wed", "thu", "fri", "sat"]
# opens = "09:00"
# closes = "20:00"

# [consent]                     # without it no face can ever be stored
# purposes = ["validation"]
# ca = "SHA-256 of the consent CA's certificate"
# revoked = []
# max_seconds = 1800
# max_bytes = 8388608
# max_crops = 1000
"""


def draft_text(
    *,
    version: int,
    site: str,
    purpose: str,
    controller: str,
    timezone: str,
    line: str,
    notice: str | None,
) -> str:
    """The draft; a ``notice`` turns the attributes on; ConfigError for a bad line."""
    return DRAFT.format(
        version=version,
        site=_quoted(site),
        purpose=_quoted(purpose),
        controller=_quoted(controller),
        timezone=_quoted(timezone),
        attributes="true" if notice else "false",
        notice=f'notice = "{_quoted(notice)}"' if notice else "# notice = ...",
        points=_points(line),
    )


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _points(text: str) -> list[list[float]]:
    try:
        numbers = [float(each) for each in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) < 4 or len(numbers) % 2:
        raise ConfigError(f"--line {text} must be X0,Y0,X1,Y1 with numbers from 0 to 1")
    return [list(pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]
