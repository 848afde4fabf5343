"""What a Raspberry Pi's image is given: named, pinned, and nothing else is taken."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from doorsill.errors import ConfigError, UntrustedError
from image import inputs
from image.inputs import Input

DATA = b"a kernel"
KERNEL = Input(
    "pi5", "pool/l/kernel.deb", hashlib.sha256(DATA).hexdigest(), "its kernel"
)


def test_what_is_missing_is_said_at_once_with_what_it_is(tmp_path: Path) -> None:
    radio = Input("pi5", "pool/r/radio.deb", "-", "the radio's program")
    with pytest.raises(ConfigError) as caught:
        inputs.take([KERNEL, radio], tmp_path)
    kernel, program, trust = caught.value.args
    assert kernel == (
        f"{tmp_path}/kernel.deb is missing: its kernel. Fetch pool/l/kernel.deb from "
        f"Raspberry Pi's archive (release trixie), SHA-256 {KERNEL.sha256}"
    )
    assert program.endswith(
        "Fetch pool/r/radio.deb from Raspberry Pi's archive (release trixie)"
    )
    assert "signed index" in trust


def test_a_file_may_have_the_name_that_apt_gives_it(tmp_path: Path) -> None:
    image = Input(
        "pi4", "pool/l/linux_6.18-1+rpt1_arm64.deb", KERNEL.sha256, "its kernel"
    )
    path = tmp_path / "linux_1%3a6.18-1+rpt1_arm64.deb"
    path.write_bytes(DATA)
    assert inputs.take([image], tmp_path) == [path]


def test_a_kernel_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kernel.deb").write_bytes(DATA)
    assert inputs.take([KERNEL], tmp_path) == [tmp_path / "kernel.deb"]
    (tmp_path / "kernel.deb").write_bytes(b"a Kernel")
    with pytest.raises(UntrustedError, match=r"kernel\.deb.*its kernel"):
        inputs.take([KERNEL], tmp_path)


def test_nobodys_hash_is_no_hash(tmp_path: Path) -> None:
    (tmp_path / "kernel.deb").write_bytes(DATA)
    with pytest.raises(ConfigError, match=r"pins no hash of kernel\.deb.*--pin"):
        inputs.take([Input("pi5", "pool/kernel.deb", "-", "its kernel")], tmp_path)


def test_a_pinned_list_is_taken(tmp_path: Path) -> None:
    (tmp_path / "kernel.deb").write_bytes(DATA)
    text = "# a list\npi5 pool/l/kernel.deb - its kernel\npi4 p/other.deb - another\n"
    pinned = inputs.inputs(inputs.pin(text, tmp_path))
    assert pinned == [KERNEL, Input("pi4", "p/other.deb", "-", "another")]
    assert inputs.take(inputs.of_board("pi5", pinned), tmp_path)


@pytest.mark.parametrize("line", ["pi5 kernel.deb -", "pi5 kernel.deb abc what it is"])
def test_a_line_that_is_none_is_named(line: str) -> None:
    with pytest.raises(ConfigError, match="line 1"):
        inputs.inputs(line)


def test_both_boards_have_a_list_and_qemu_needs_none() -> None:
    found = inputs.inputs(inputs.LIST.read_text("utf-8"))
    assert {each.board for each in found} == {"pi4", "pi5"}
    assert inputs.of_board("virt", found) == []
    assert inputs.UNPINNED not in {each.sha256 for each in found}
    for board in ("pi4", "pi5"):
        names = [each.file.partition("_")[0] for each in inputs.of_board(board, found)]
        assert sum(name.startswith("linux-image-") for name in names) == 1
        assert "firmware-brcm80211" in names
