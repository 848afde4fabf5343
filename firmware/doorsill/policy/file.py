"""A policy's file at a desk: a draft or a signed one; the first byte shows which."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from doorsill.documents import canonical
from doorsill.documents.reading import BOM, parse_toml, read_file
from doorsill.documents.recognise import what_is
from doorsill.errors import ConfigError, DoorsillError, UntrustedError

T = TypeVar("T")


def read_unverified(path: Path, parse: Callable[[dict[str, Any]], T]) -> T:
    """The content of a draft or a signed policy; its signature is not checked.

    Raises ConfigError or UntrustedError, which name the file.
    """
    data = read_file(path)
    try:
        return parse(canonical.split(data)[0] if is_signed(data) else _draft(data))
    except DoorsillError as error:
        raise error.of(path) from None


def read_signed(path: Path) -> bytes:
    """The bytes of a signed policy; else UntrustedError, which says what it is."""
    data = read_file(path)
    if is_signed(data):
        return data
    try:
        _draft(data)
    except ConfigError:
        raise UntrustedError(f"{path} is {what_is(data)}, not a policy") from None
    raise UntrustedError(
        f"{path} is a draft; sign it first: "
        f"doorsill policy sign {path} --key controller.key --out policy.json"
    )


def is_signed(data: bytes) -> bool:
    """Whether these are the bytes of a signed policy, and not of a draft."""
    return data.removeprefix(BOM).lstrip().startswith(b"{")


def _draft(data: bytes) -> dict[str, Any]:
    if not data.removeprefix(BOM).strip() or data.startswith(b"-----BEGIN"):
        raise ConfigError(f"is {what_is(data)}, not a policy")
    return parse_toml(data)
