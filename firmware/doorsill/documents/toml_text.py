"""Change single values of a TOML text and leave its comments as they are."""

from __future__ import annotations

import re

from doorsill.errors import ConfigError


def replace_value(text: str, key: str, line: str) -> str:
    """``text`` with ``line`` in place of the value of ``key``; its comment stays."""
    pattern = rf"(?m)^{key} = [^#\n]*?(?=\s*(#|$))"
    text, count = re.subn(pattern, lambda _: line, text, count=1)
    if not count:
        raise ConfigError(f"the example configuration has no {key}")
    return text
