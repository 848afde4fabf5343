"""Whether there is a way out, from what the kernel says."""

from __future__ import annotations

from pathlib import Path

import pytest

from doorsill.device.route import has_route

HEAD = "Iface\tDestination\tGateway\tFlags\n"
IPV6 = "0" * 32 + " 00 " + "0" * 32 + " 00 fe80 00000400 1 0 00000003 "


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "there"),
    [
        pytest.param(None, None, False, id="no /proc"),
        pytest.param(HEAD, "", False, id="no address"),
        pytest.param(HEAD + "eth0\t0002A8C0\t00000000\n", "", False, id="no way out"),
        pytest.param(HEAD + "eth0\t00000000\t0102A8C0\n", "", True, id="a cable"),
        pytest.param(HEAD, IPV6 + "wlan0\n", True, id="IPv6 alone"),
        pytest.param(HEAD, IPV6 + "lo\n", False, id="IPv6 that is refused"),
        pytest.param("what\nis this", "\xff", False, id="rubbish"),
    ],
)
def test_whether_there_is_a_way_out(
    tmp_path: Path, ipv4: str | None, ipv6: str | None, there: bool
) -> None:
    for name, text in (("route", ipv4), ("ipv6_route", ipv6)):
        if text is not None:
            path = tmp_path / "proc/self/net" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "latin-1")
    assert has_route(tmp_path) is there
