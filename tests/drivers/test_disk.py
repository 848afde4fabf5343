"""After blanking, the device below the medium is searched for what was sealed.

The read-back asks the file system and believes it; these tests ask the device. Each has
its control: the same search finds the records before, or after the order of old.
"""

import ctypes
import fcntl
import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from limits import PROGRAM_S
from locking import address_of, keep_memories
from loops import SECTOR, detach, left_on, mounted, require_loop
from vaults import Bench, crop, lease

from doorsill.certificates.examine import Verified
from doorsill.drivers.media import disk, in_place, memory
from doorsill.drivers.media.disk import CHUNK, DiskMedium
from doorsill.drivers.media.in_place import place_of
from doorsill.drivers.media.medium import LEAST_BYTES, Medium
from doorsill.drivers.media.memory import MemoryMedium
from doorsill.errors import ConfigError, UntrustedError

SIZE = 1 << 20
CROPS = 6
KEEP_SIZE, PUNCH_HOLE = 1, 2  # linux/falloc.h


def sealed_and_blanked(
    home: Path, medium: Medium, before: Callable[[bytes], object]
) -> tuple[bytes, list[Verified]]:
    """A session of six crops, from start to certificate: what was sealed, the chain.

    ``before`` gets what was sealed while it is on the medium.
    """
    bench = Bench(home, medium)
    bench.vault.start()
    bench.vault.open(lease())
    for seed in range(CROPS):
        with crop(seed, 200, 200) as each:
            bench.vault.seal(each)
    session = bench.vault.session
    assert session is not None
    sealed = medium.read_back(0, session.used)
    before(sealed)
    bench.vault.close("removed")
    return sealed, bench.verified()


@pytest.mark.parametrize("megabytes", [64, 256])
@pytest.mark.parametrize(
    "make",
    ["", "-O ^has_journal"],
    ids=["defaults", "no journal"],
)
def test_a_file_on_ext4_leaves_no_record_on_the_device_below(
    tmp_path: Path, megabytes: int, make: str
) -> None:
    with mounted(tmp_path, megabytes, make=make) as (at, device):
        medium = DiskMedium(at / "faces.bin", SIZE)

        def control(sealed: bytes) -> None:
            assert left_on(device, sealed) == len(sealed) // SECTOR

        sealed, chain = sealed_and_blanked(tmp_path, medium, control)
        assert left_on(device, sealed) == 0
        medium.close()
        assert left_on(device, sealed) == 0
    body = chain[-1].body
    assert body["methods"] == ["key-destroyed", "overwritten"]
    assert body["nist_class"] == "Clear, of one file only"


@pytest.mark.parametrize("megabytes", [64, 256])
def test_the_order_of_old_leaves_records_on_the_device_below(
    tmp_path: Path, megabytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: a hole first, then zeros, which go to other blocks."""
    libc = ctypes.CDLL(None)
    libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, *(2 * [ctypes.c_int64]))

    blank = DiskMedium.blank
    name = tmp_path / "mounted" / "faces.bin"

    def hole_first(self: DiskMedium) -> tuple[str, ...]:
        with name.open("r+b") as file:
            assert not libc.fallocate(
                file.fileno(), KEEP_SIZE | PUNCH_HOLE, 0, self.facts.size
            )
        with suppress(UntrustedError):  # it says itself that its blocks moved
            blank(self)
        return ("overwritten",)  # with "discarded" no verifier takes it any more

    monkeypatch.setattr(DiskMedium, "blank", hole_first)
    with mounted(tmp_path, megabytes) as (at, device):
        assert name.parent == at
        medium = DiskMedium(name, SIZE)
        sealed, chain = sealed_and_blanked(tmp_path, medium, lambda _: os.sync())
        medium.close()
        assert left_on(device, sealed) > 0
    assert chain[-1].body["read_back"]["blank"]  # and the read-back saw nothing of it


def test_blocks_that_moved_are_never_called_blank(tmp_path: Path) -> None:
    """A hole, a defragmentation: the zeros went elsewhere, and the vault says so."""
    with mounted(tmp_path, 64) as (at, _):
        medium = DiskMedium(at / "faces.bin", SIZE)
        (at / "spare").write_bytes(b"x" * (4 * SIZE))

        def move(sealed: bytes) -> None:
            name = str(at / "faces.bin")
            subprocess.run(
                ["fallocate", "-p", "-l", str(SIZE), name],
                check=True,
                timeout=PROGRAM_S,
            )
            os.sync()
            with suppress(OSError), (at / "more").open("wb", buffering=0) as file:
                while file.write(bytes(SECTOR)):  # until the disk is full
                    pass
            (at / "spare").unlink()
            os.sync()

        try:
            with pytest.raises(UntrustedError, match="moved the medium faces"):
                sealed_and_blanked(tmp_path, medium, move)
        finally:
            medium.close()


def test_ext4_that_journals_data_is_refused_and_would_keep_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mounted(tmp_path, 64, "data=journal") as (at, device):
        with pytest.raises(ConfigError, match="ext4 with data=journal"):
            DiskMedium(at / "faces.bin", SIZE)
        monkeypatch.setattr(disk, "require_in_place", lambda *_: None)  # the control
        medium = DiskMedium(at / "faces.bin", SIZE)
        sealed, _ = sealed_and_blanked(tmp_path, medium, lambda _: os.sync())
        medium.close()
        assert left_on(device, sealed) > 0


def test_a_file_that_is_journalled_with_its_data_is_refused(tmp_path: Path) -> None:
    with mounted(tmp_path, 64) as (at, device):
        DiskMedium(at / "faces.bin", SIZE).close()
        subprocess.run(
            ["umount", str(at)], check=True, timeout=PROGRAM_S
        )  # chattr wants more than root
        journalled = "set_inode_field faces.bin flags 0x84000"
        subprocess.run(
            ["/usr/sbin/debugfs", "-w", "-R", journalled, str(device)],
            check=True,
            capture_output=True,
            timeout=PROGRAM_S,
        )
        subprocess.run(["mount", str(device), str(at)], check=True, timeout=PROGRAM_S)
        with pytest.raises(ConfigError, match=r"chattr \+j"):
            DiskMedium(at / "faces.bin", SIZE)


def test_btrfs_is_refused_and_would_keep_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mounted(tmp_path, 256, kind="btrfs") as (at, device):
        with pytest.raises(ConfigError, match=r"lies on btrfs.*take a partition"):
            DiskMedium(at / "faces.bin", SIZE)
        monkeypatch.setattr(disk, "require_in_place", lambda *_: None)  # the control
        medium = DiskMedium(at / "faces.bin", SIZE)
        seen: list[bytes] = []
        with pytest.raises(UntrustedError, match="moved the medium"):
            sealed_and_blanked(tmp_path, medium, seen.append)
        medium.close()
        assert left_on(device, seen[0]) > 0


def test_overlay_and_tmpfs_are_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("no mount without root")
    for name in ("lower", "upper", "work", "at"):
        (tmp_path / name).mkdir()
    parts = ",".join(f"{n}dir={tmp_path / n}" for n in ("lower", "upper", "work"))
    for kind, options in (("overlay", parts), ("tmpfs", "size=4m")):
        mount = ["mount", "-t", kind, kind, "-o", options, str(tmp_path / "at")]
        if subprocess.run(
            mount, capture_output=True, check=False, timeout=PROGRAM_S
        ).returncode:
            pytest.skip(f"this kernel mounts no {kind}")
        try:
            with pytest.raises(ConfigError, match=f"lies on {kind}"):
                DiskMedium(tmp_path / "at" / "faces.bin", SIZE)
        finally:
            subprocess.run(
                ["umount", str(tmp_path / "at")], check=True, timeout=PROGRAM_S
            )


@pytest.mark.parametrize(
    ("magic", "name"),
    [(0x2FC12FC1, "ZFS"), (0xF2F52010, "F2FS"), (0x6969, "NFS"), (0x77, "type 0x77")],
)
def test_file_systems_that_this_machine_has_not_are_refused_by_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, magic: int, name: str
) -> None:
    monkeypatch.setattr(in_place, "magic_of", lambda handle: magic)
    with pytest.raises(ConfigError, match=f"lies on .*{name}"):
        DiskMedium(tmp_path / "faces.bin", SIZE)


def test_options_that_cannot_be_seen_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_place, "magic_of", lambda handle: in_place.EXT4_MAGIC)
    monkeypatch.setattr(os, "major", lambda number: 4095)
    with pytest.raises(ConfigError, match=r"options of .* cannot be seen"):
        DiskMedium(tmp_path / "faces.bin", SIZE)


def test_a_partition_is_overwritten_and_read_back_before_it_is_discarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "disk"
    image.write_bytes(b"\x55" * (4 << 20))
    loop = require_loop(image)
    done: list[str] = []
    ioctl = fcntl.ioctl

    def seen(handle: int, request: int, *rest: Any) -> object:
        if request == disk.BLKDISCARD:
            raw = Path(loop).read_bytes()
            done.append("zeros" if not any(raw) else "NOT yet overwritten")
        return ioctl(handle, request, *rest)

    monkeypatch.setattr(fcntl, "ioctl", seen)
    try:
        medium = DiskMedium(Path(loop), SIZE)

        def control(sealed: bytes) -> None:
            assert left_on(Path(loop), sealed) == len(sealed) // SECTOR

        sealed, chain = sealed_and_blanked(tmp_path, medium, control)
        assert left_on(Path(loop), sealed) == 0
        medium.close()
    finally:
        detach(loop)
    assert not any(image.read_bytes())
    assert done == ["zeros", "zeros"]  # at the start, and at the end
    assert chain[-1].body["methods"] == ["key-destroyed", "overwritten", "discarded"]


def test_a_device_that_answers_anything_after_a_discard_is_overwritten_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "disk").write_bytes(bytes(1 << 20))
    loop = require_loop(tmp_path / "disk")

    ioctl = fcntl.ioctl

    def odd(handle: int, request: int, *rest: Any) -> object:
        if request != disk.BLKDISCARD:
            return ioctl(handle, request, *rest)
        os.pwrite(handle, b"whatever", CHUNK // 2)
        return bytes(16)

    monkeypatch.setattr(fcntl, "ioctl", odd)
    try:
        medium = DiskMedium(Path(loop), SIZE)
        assert medium.blank() == ("overwritten", "discarded")
        medium.close()
        assert not any(Path(loop).read_bytes())
    finally:
        detach(loop)


def test_what_was_not_overwritten_is_not_discarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would look blank then: the read-back has to see it first."""
    (tmp_path / "disk").write_bytes(b"\x55" * (1 << 20))
    loop = require_loop(tmp_path / "disk")
    try:
        medium = DiskMedium(Path(loop), SIZE)
        monkeypatch.setattr(os, "pwrite", lambda handle, data, offset: len(data))
        assert medium.blank() == ("overwritten",)
        monkeypatch.undo()
        medium.close()
        assert any(Path(loop).read_bytes())
    finally:
        detach(loop)


def test_the_page_cache_does_not_answer_a_read_back(tmp_path: Path) -> None:
    """The bytes change below the cache of the loop device: the device is asked."""
    image = tmp_path / "disk"
    image.write_bytes(bytes(1 << 20))
    loop = require_loop(image)
    try:
        medium = DiskMedium(Path(loop), SIZE)
        medium.blank()
        assert not any(medium.read_back(0, 4096))
        with image.open("r+b") as file:
            file.write(b"not zeros!")
        assert medium.read_back(0, 10) == b"not zeros!"
        medium.close()
    finally:
        detach(loop)


def test_memory_is_nought_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read by address, past the medium's own way to it."""
    memories = keep_memories(monkeypatch, memory)
    medium = MemoryMedium(SIZE)
    address = address_of(memories[0])

    def held() -> bytes:
        with Path("/proc/self/mem").open("rb", buffering=0) as process:
            process.seek(address)
            return process.read(SIZE)

    def control(sealed: bytes) -> None:
        assert held()[: len(sealed)] == sealed

    sealed_and_blanked(tmp_path, medium, control)
    assert not any(held())
    medium.close()


def test_where_a_file_lies_is_told_in_pieces_that_touch_as_one(tmp_path: Path) -> None:
    with mounted(tmp_path, 64) as (at, _):
        medium = DiskMedium(at / "faces.bin", SIZE)
        file = (at / "faces.bin").open("rb")
        before = place_of(file.fileno())
        assert sum(length for _, length in before) == SIZE
        medium.append(b"x" * (LEAST_BYTES // 2))  # half written, half not: two extents
        assert place_of(file.fileno()) == before
        file.close()
        medium.close()
