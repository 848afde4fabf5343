"""Whether there is a way out of this machine."""

from __future__ import annotations

from pathlib import Path

# Not proc/net: a unit with ProcSubset=pid has no such link.
OWN = Path("proc/self/net")
IPV4, IPV6 = OWN / "route", OWN / "ipv6_route"  # proc(5)
ANY, ANY_IPV6 = "00000000", "0" * 32  # the destination of a default route


def has_route(root: Path = Path("/")) -> bool:
    """Whether a default route leads to an interface, other than the machine itself."""
    return _is_default(root / IPV4, 1, ANY, 0) or _is_default(
        root / IPV6, 0, ANY_IPV6, 9
    )


def _is_default(path: Path, column: int, destination: str, interface: int) -> bool:
    try:
        rows = [each.split() for each in path.read_text("ascii").splitlines()]
    except (OSError, UnicodeDecodeError):
        return False
    return any(
        len(row) > max(column, interface)
        and row[column] == destination
        and row[interface] != "lo"
        for row in rows
    )
