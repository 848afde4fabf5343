"""The camera's configuration: made where there is none, else its names are set."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from doorsill.documents.fields import HOST
from doorsill.documents.reading import read_if_there
from doorsill.documents.toml_text import replace_value
from doorsill.errors import ConfigError, UntrustedError
from doorsill.policy.document import Place

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


@dataclass(frozen=True, slots=True)
class BrokerPlace:
    """Where the fleet's broker is, as the fleet says."""

    host: str
    port: int


def configure(path: Path, place: Place, broker: BrokerPlace, camera: str) -> str:
    """The text for ``path``, with the camera's place, the broker and the camera.

    A configuration that is there keeps its camera and all else. ``camera`` is
    DRIVER[:SOURCE]. Raises ConfigError if the file cannot be changed like this.
    """
    if not re.fullmatch(HOST, broker.host):
        raise UntrustedError("the fleet names no host name or address for its broker")
    there = read_if_there(path)
    try:
        text = FIRST if there is None else there.decode("utf-8")
        if there is None:
            driver, _, source = camera.partition(":")
            line = f"driver = {json.dumps(driver)}"
            line += f"\nsource = {json.dumps(source)}" if source else ""
            text = replace_value(text, "driver", line)
        values: dict[str, object] = {"id": place.device, "site": place.site}
        values |= {"host": broker.host, "port": broker.port}
        for key, value in values.items():
            text = replace_value(text, key, f"{key} = {json.dumps(value)}")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not text in UTF-8") from None
    except ConfigError as error:
        raise error.of(path) from None
    return text
