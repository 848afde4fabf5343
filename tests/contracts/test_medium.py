"""One contract for all media; and every bad medium is recognised and refused."""

import hashlib
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from locking import address_of
from loops import detach, loop_device, require_loop

from doorsill.certificates.claims import blank_digest
from doorsill.drivers.media import disk
from doorsill.drivers.media.disk import DiskMedium
from doorsill.drivers.media.medium import LEAST_BYTES, Medium, NoAnswer, read_all
from doorsill.drivers.media.memory import MemoryMedium
from doorsill.drivers.media.opening import open_medium
from doorsill.drivers.media.sram import SramMedium
from doorsill.drivers.media.sram_chip import PAGE, SimulatedSram
from doorsill.errors import ConfigError, UntrustedError
from doorsill.process import locked
from doorsill.process.locked import LockedMemory, is_blank, wipe

SEED = b"s" * 32
RECORD = bytes(range(1, 256)) * 40
Maker = Callable[[], Medium]


@pytest.fixture(params=["memory", "file", "partition", "sram"])
def medium(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Medium]:
    loop = None
    if request.param == "sram":
        made: Medium = SramMedium(SimulatedSram())
    elif request.param == "partition":
        (tmp_path / "disk").write_bytes(b"\x55" * (1 << 20))
        loop = require_loop(tmp_path / "disk")
        made = open_medium(loop, LEAST_BYTES)
    else:
        path = str(tmp_path / "medium") if request.param == "file" else "memory"
        made = open_medium(path, LEAST_BYTES + 5)
    yield made
    made.close()
    if loop:
        detach(loop)


def test_what_was_appended_is_read_back(medium: Medium) -> None:
    offsets = [medium.append(RECORD), medium.append(b"x"), medium.append(RECORD[::-1])]
    assert offsets == [0, len(RECORD), len(RECORD) + 1]
    assert medium.read_back(0, len(RECORD)) == RECORD
    assert medium.read_back(offsets[2], len(RECORD)) == RECORD[::-1]


def test_blank_leaves_nought_in_every_byte_and_the_read_back_shows_it(
    medium: Medium,
) -> None:
    medium.append(RECORD)
    assert read_all(medium, SEED)[1] is False  # the control
    methods = medium.blank()
    found, blank = read_all(medium, SEED)
    assert blank and found == blank_digest(SEED, medium.facts.size)
    assert "overwritten" in methods
    if medium.facts.kind in ("memory", "sram"):
        assert methods == ("overwritten",)
    assert medium.append(RECORD) == 0


def test_one_byte_that_is_not_nought_is_seen_wherever_it_is(medium: Medium) -> None:
    medium.blank()
    last = medium.facts.size - 1
    medium.append(b"\0" * min(last, 60_000))
    assert read_all(medium, SEED)[1] is True
    medium.append(b"\1")
    found, blank = read_all(medium, SEED)
    assert not blank and found != blank_digest(SEED, medium.facts.size)


def test_a_full_medium_says_so_and_keeps_what_it_has(medium: Medium) -> None:
    medium.append(RECORD)
    with pytest.raises(UntrustedError, match="is full"):
        medium.append(b"y" * medium.facts.size)
    assert medium.read_back(0, len(RECORD)) == RECORD


def test_a_disk_medium_starts_with_what_the_last_process_left(tmp_path: Path) -> None:
    first = DiskMedium(tmp_path / "m", LEAST_BYTES)
    first.append(RECORD)
    first.close()
    second = DiskMedium(tmp_path / "m", LEAST_BYTES)
    assert read_all(second, SEED)[1] is False
    second.blank()
    assert read_all(second, SEED)[1] is True
    second.close()
    assert not any((tmp_path / "m").read_bytes())


def test_a_file_that_was_larger_is_blanked_whole(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"\xaa" * (LEAST_BYTES * 3))
    medium = DiskMedium(tmp_path / "m", LEAST_BYTES)
    assert medium.facts.size == LEAST_BYTES * 3
    medium.blank()
    medium.close()
    assert not any((tmp_path / "m").read_bytes())


def test_a_file_is_its_owners_alone(tmp_path: Path) -> None:
    DiskMedium(tmp_path / "m", LEAST_BYTES).close()
    assert (tmp_path / "m").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (LEAST_BYTES - 1, "has 65535 bytes; the minimum is 65536"),
        (0, "the minimum is 65536"),
        ((1 << 30) + 1, "the limit is 1073741824"),
    ],
)
@pytest.mark.parametrize("name", ["memory", "m"])
def test_a_medium_of_an_impossible_size_is_refused(
    tmp_path: Path, name: str, size: int, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        open_medium(name if name == "memory" else str(tmp_path / name), size)
    assert not (tmp_path / "m").exists() or (tmp_path / "m").stat().st_size == 0


def test_a_path_that_is_no_medium_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "link", tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(ConfigError, match="medium"):
            DiskMedium(path, LEAST_BYTES)
    with pytest.raises(ConfigError, match="No such file"):
        DiskMedium(tmp_path / "none" / "m", LEAST_BYTES)


def test_a_read_only_medium_is_refused(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(bytes(1 << 20))
    loop = loop_device(tmp_path / "disk", "--read-only")
    if loop is None:  # without root the mode alone forbids it
        (tmp_path / "disk").chmod(0o400)
    try:
        with pytest.raises(
            ConfigError, match=r"is read-only|cannot be opened for writing"
        ):
            DiskMedium(Path(loop or tmp_path / "disk"), LEAST_BYTES)
    finally:
        if loop:
            detach(loop)


def test_a_disk_that_has_no_room_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def fallocate(self, *_: object) -> int:
            disk.ctypes.set_errno(28)
            return -1

    monkeypatch.setattr(disk, "libc", Full())
    with pytest.raises(ConfigError, match="cannot hold 65536 bytes: No space left"):
        DiskMedium(tmp_path / "m", LEAST_BYTES)


def failing(*_: object) -> int:
    raise OSError(5, "Input/output error")


def test_a_disk_that_vanishes_is_untrusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    medium = DiskMedium(tmp_path / "m", LEAST_BYTES)
    medium.append(RECORD)
    monkeypatch.setattr(os, "pwrite", failing)
    for act in (lambda: medium.append(RECORD), medium.blank):
        with pytest.raises(UntrustedError, match="cannot be written: Input/output"):
            act()
    monkeypatch.setattr(os, "pread", failing)
    with pytest.raises(UntrustedError, match="cannot be read back: Input/output"):
        read_all(medium, SEED)
    monkeypatch.undo()
    medium.close()


def test_a_disk_that_gives_back_less_is_untrusted(tmp_path: Path) -> None:
    medium = DiskMedium(tmp_path / "m", LEAST_BYTES)
    os.truncate(tmp_path / "m", LEAST_BYTES - 4096)
    with pytest.raises(UntrustedError, match="gave 61440 bytes at 0, not 65536"):
        read_all(medium, SEED)
    medium.close()


def test_a_disk_that_gives_back_what_was_not_written_is_untrusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    medium = DiskMedium(tmp_path / "m", LEAST_BYTES)
    monkeypatch.setattr(os, "pwrite", lambda handle, data, offset: len(data))
    with pytest.raises(UntrustedError, match="gave back what had not been written"):
        medium.append(RECORD)
    monkeypatch.undo()
    medium.close()


def test_a_disk_that_keeps_what_was_to_be_blanked_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    medium = DiskMedium(tmp_path / "m", LEAST_BYTES)
    medium.append(RECORD)
    monkeypatch.setattr(os, "pwrite", lambda handle, data, offset: len(data))
    medium.blank()
    assert read_all(medium, SEED)[1] is False
    monkeypatch.undo()
    medium.close()


def test_a_chip_without_power_is_opened_and_does_not_answer() -> None:
    """The interlock powers it with the card: at the start there is none."""
    chip = SimulatedSram()
    chip.power_off()
    medium = SramMedium(chip)
    for act in (medium.blank, lambda: medium.append(RECORD)):
        with pytest.raises(NoAnswer):
            act()
    chip.power_up()
    medium.blank()
    assert read_all(medium, SEED)[1] is True


def test_no_bus_no_medium() -> None:
    with pytest.raises(ConfigError, match="SPI bus"):
        open_medium("spi:/dev/spidev-none", LEAST_BYTES)


def test_a_chip_that_loses_its_rail_is_untrusted_and_blankable_again() -> None:
    chip = SimulatedSram()
    medium = SramMedium(chip)
    medium.append(RECORD)
    chip.power_off()
    for act in (
        lambda: medium.append(RECORD),
        medium.blank,
        lambda: medium.read_back(0, 4),
    ):
        with pytest.raises(NoAnswer, match="its power is gone, or was"):
            act()
    chip.power_up()  # now in byte mode, and full of noise
    with pytest.raises(UntrustedError, match="power"):
        medium.read_back(0, 4)
    medium.blank()
    assert read_all(medium, SEED)[1] is True


def test_a_chip_with_a_stuck_cell_is_seen() -> None:
    chip = SimulatedSram()
    chip.stuck = 70_000
    medium = SramMedium(chip)
    medium.blank()
    assert read_all(medium, SEED)[1] is False
    chip.stuck = 3
    with pytest.raises(UntrustedError, match="had not been written"):
        medium.append(RECORD)


def test_the_simulated_chip_wraps_in_page_mode_as_the_real_one_does() -> None:
    chip = SimulatedSram()
    chip.transfer(bytes((0x01, PAGE)))
    chip.transfer(b"\x02\x00\x00\x1e" + b"abcd")
    assert chip.memory[0x1E:0x20] + chip.memory[0:2] == b"abcd"


def test_locked_memory_is_locked_kept_out_of_dumps_and_zeroised() -> None:
    before = locked_kib()
    memory = LockedMemory(1 << 20)
    memory.view[:4] = b"key!"
    assert locked_kib() - before == 1024
    assert "dd" in flags_of(memory) and "lo" in flags_of(memory)
    assert "key" not in repr(memory)
    with pytest.raises(TypeError):
        memory.__reduce__()
    memory.zeroise()
    assert is_blank(memory.view)
    memory.close()
    memory.close()
    assert locked_kib() == before


def locked_kib() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmLck"):
            return int(line.split()[1])
    raise AssertionError("no VmLck")


def flags_of(memory: LockedMemory) -> list[str]:
    address = address_of(memory)
    maps = Path("/proc/self/smaps").read_text().split("VmFlags:")
    for before, after in itertools.pairwise(maps):
        for line in before.splitlines():
            first, _, last = line.split(" ")[0].partition("-")
            if last and int(first, 16) <= address < int(last, 16):
                return after.splitlines()[0].split()
    raise AssertionError("mapping not found")


def test_memory_that_cannot_be_locked_is_an_error_that_names_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Refusing:
        def mlock(self, *_: object) -> int:
            return -1

    monkeypatch.setattr(locked, "libc", Refusing())
    monkeypatch.setattr(locked.resource, "setrlimit", lambda *_: None)
    with pytest.raises(ConfigError, match=r"cannot lock 65536 bytes .* LimitMEMLOCK="):
        MemoryMedium(LEAST_BYTES)


def test_two_random_keys_differ_and_none_is_nought() -> None:
    with LockedMemory(32) as one, LockedMemory(32) as two:
        one.fill_random()
        two.fill_random()
        assert bytes(one.view) != bytes(two.view) and not is_blank(one.view)


def test_a_wiped_secret_is_nought() -> None:
    secret = hashlib.sha256(b"x").digest()
    wipe(secret)
    assert secret == bytes(32)


@given(st.integers(0, 200_000), st.integers(0, 199_999), st.integers(1, 255))
def test_is_blank_sees_any_byte(size: int, at: int, value: int) -> None:
    data = bytearray(size)
    assert is_blank(data)
    if at < size:
        data[at] = value
        assert not is_blank(data)
