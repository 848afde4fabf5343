"""The camera's configuration: made where there is none, else its names are set."""

from __future__ import annotations

import json
import re
from pathlib import Path

from doorsill.documents.reading import read_if_there
from doorsill.documents.toml_text import replace_value
from doorsill.errors import ConfigError, UntrustedError

FIRST = """\
# Made by `doorsill enrol`; what the device may do stands in the signed policy.
# `doorsill check --config FILE` says all that is wrong at once.

[device]
id = ""
site = ""

[camera]
driver = ""

[policy]
file = "policy.json"
controller_key = "controller.key.pub"

[broker]
host = ""
port = 8883
ca = "ca.pem"
certificate = "device.crt"
key = "device.key"
"""


def configure(
    path: Path, names: tuple[str, str], broker: tuple[str, int], camera: str
) -> str:
    """The text for ``path``, with site and id (``names``), the broker and the camera.

    A configuration that is there keeps its camera and all else. ``camera`` is
    DRIVER[:SOURCE]. Raises ConfigError if the file cannot be changed like this.
    """
    host, port = broker
    if not re.fullmatch(r"[A-Za-z0-9.:-]{1,253}", host):
        raise UntrustedError("the fleet names no host name or address for its broker")
    there = read_if_there(path)
    try:
        text = FIRST if there is None else there.decode("utf-8")
        if there is None:
            driver, _, source = camera.partition(":")
            line = f"driver = {json.dumps(driver)}"
            line += f"\nsource = {json.dumps(source)}" if source else ""
            text = replace_value(text, "driver", line)
        values = {"id": names[1], "site": names[0], "host": host, "port": port}
        for key, value in values.items():
            text = replace_value(text, key, f"{key} = {json.dumps(value)}")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not text in UTF-8") from None
    except ConfigError as error:
        raise error.of(path) from None
    return text
