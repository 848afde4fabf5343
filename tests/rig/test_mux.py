"""One contract for whose card it is, and files put where a laptop would put them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from limits import PROGRAM_S

from .bench import read_bench
from .errors import BenchError
from .mux import BASIC_DATA, BootPartition, FakeMux, SdMux, UsbSdMux, partitions
from .simulated import program

START, SIZE = 2048, 65536  # sectors of the FAT partition


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A card with one FAT partition, as a laptop sees it."""
    disk = tmp_path_factory.mktemp("card") / "disk"
    with disk.open("wb") as file:
        file.truncate((START + SIZE + 2048) * 512)
    place = f"start={START}, size={SIZE}, type={BASIC_DATA}, name=boot"
    table = f"label: gpt\n{place}\n"
    make = ["sfdisk", "--quiet", str(disk)]
    subprocess.run(make, input=table, text=True, check=True, timeout=PROGRAM_S)
    words = ["mformat", "-i", f"{disk}@@{START * 512}", "-T", str(SIZE), "::"]
    subprocess.run(words, check=True, timeout=PROGRAM_S)
    return disk


@pytest.fixture(params=["fake", "USB-SD-Mux", "the bench's own"])
def mux(request: pytest.FixtureRequest, tmp_path: Path, card: Path) -> Iterator[SdMux]:
    if request.param == "fake":
        yield FakeMux(card)
    elif request.param == "USB-SD-Mux":
        yield UsbSdMux(Path("/dev/sg0"), card, program(tmp_path, "usbsdmux", ""))
        called = (tmp_path / "called").read_text().splitlines()
        assert {each.split()[0] for each in called} == {"/dev/sg0"}
        assert called[-1] == "/dev/sg0 dut", "the board has it at the end"
    else:
        if "BENCH" not in os.environ:
            pytest.skip("BENCH names no bench.toml")
        section = read_bench(Path(os.environ["BENCH"])).sd_mux
        yield UsbSdMux(section.device, section.disk)


def test_the_host_reads_the_card_and_the_board_has_it_back(mux: SdMux) -> None:
    for _ in range(2):
        disk = mux.to_host()
        assert partitions(disk)
        mux.to_board()


def test_a_card_that_does_not_appear_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    mux = UsbSdMux(Path("/dev/sg0"), gone, program(tmp_path, "usbsdmux", ""), 0.3)
    stuck = FakeMux(gone, stuck=True)
    for each in (mux, stuck):
        with pytest.raises(BenchError, match=f"no card appears at {gone}"):
            each.to_host()


def test_a_mux_that_refuses_says_why(tmp_path: Path) -> None:
    words = program(tmp_path, "usbsdmux", "echo no such device >&2; exit 1")
    with pytest.raises(BenchError, match="ended with 1: no such device"):
        UsbSdMux(Path("/dev/sg9"), tmp_path, words).to_host()


def test_a_file_is_put_changed_and_removed(card: Path, tmp_path: Path) -> None:
    ((name, first, size),) = partitions(card)
    assert (name, first, size) == ("boot", START * 512, SIZE * 512)
    boot = BootPartition(card, first)
    boot.write("doorsill.txt", b"one\r\n", tmp_path)
    boot.write("doorsill.txt", b"two\n", tmp_path)
    assert boot.read("doorsill.txt", tmp_path) == b"two\n"
    assert boot.names() == ["doorsill.txt"]
    boot.remove("doorsill.txt")
    with pytest.raises(BenchError, match=r"doorsill\.txt"):
        boot.read("doorsill.txt", tmp_path)
