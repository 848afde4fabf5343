"""What a Raspberry Pi's image is given: named, pinned, and nothing else is taken."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from doorsill.errors import ConfigError, UntrustedError
from image import inputs
from image.inputs import Input

DATA = b"a kernel"
KERNEL = Input("pi5", "kernel.deb", hashlib.sha256(DATA).hexdigest(), "its kernel")


def test_what_is_missing_is_said_at_once_with_what_it_is(tmp_path: Path) -> None:
    radio = Input("pi5", "radio.deb", "-", "the radio's program")
    with pytest.raises(ConfigError) as caught:
        inputs.take([KERNEL, radio], tmp_path)
    assert [str(each).split(" is missing: ")[1] for each in caught.value.args] == [
        "its kernel",
        "the radio's program",
    ]


def test_a_kernel_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kernel.deb").write_bytes(DATA)
    assert inputs.take([KERNEL], tmp_path) == [tmp_path / "kernel.deb"]
    (tmp_path / "kernel.deb").write_bytes(b"a Kernel")
    with pytest.raises(UntrustedError, match=r"kernel\.deb.*its kernel"):
        inputs.take([KERNEL], tmp_path)


def test_nobodys_hash_is_no_hash(tmp_path: Path) -> None:
    (tmp_path / "kernel.deb").write_bytes(DATA)
    with pytest.raises(ConfigError, match=r"pins no hash of kernel\.deb.*--pin"):
        inputs.take([Input("pi5", "kernel.deb", "-", "its kernel")], tmp_path)


def test_a_pinned_list_is_taken(tmp_path: Path) -> None:
    (tmp_path / "kernel.deb").write_bytes(DATA)
    text = "# a list\npi5 kernel.deb - its kernel\npi4 other.deb - another\n"
    pinned = inputs.inputs(inputs.pin(text, tmp_path))
    assert pinned == [KERNEL, Input("pi4", "other.deb", "-", "another")]
    assert inputs.take(inputs.of_board("pi5", pinned), tmp_path)


@pytest.mark.parametrize("line", ["pi5 kernel.deb -", "pi5 kernel.deb abc what it is"])
def test_a_line_that_is_none_is_named(line: str) -> None:
    with pytest.raises(ConfigError, match="line 1"):
        inputs.inputs(line)


def test_both_boards_have_a_list_and_qemu_needs_none() -> None:
    found = inputs.inputs(inputs.LIST.read_text("utf-8"))
    assert {each.board for each in found} == {"pi4", "pi5"}
    assert inputs.of_board("virt", found) == []
