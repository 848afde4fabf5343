"""What is inside an image, as README and SECURITY.md say it: looked at from outside.

The image of ``make image BOARD=virt`` is looked at where it is there; without it the
settings of the repository are, which are the same files.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from built import OUT, built
from limits import PROGRAM_S

from deb import files
from doorsill.device.network_files import CLOCK, LINK
from image import layout, lock, system, verity
from image.root import is_left_out, leave_out

UNITS = "usr/lib/systemd/system"
SETTINGS = system.HERE / "system"
SECRET = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{16}")
VOUCHER = re.compile(rb"doorsill://[\w.\[\]:-]+/ds-[0-9a-z]{8}/(\w{4}-){2}")
# Examples in libraries' own sources and tests: words, and no key of anybody.
SPEAKS_OF_KEYS = re.compile(r"(cryptography|/ssh|asymmetric|\.so(\.\d+)*$|\.rst$)")
ALWAYS = {"nftables", "systemd-networkd", "systemd-resolved", "systemd-timesyncd"}


@pytest.fixture(scope="session")
def said() -> dict[str, str]:
    """image.json."""
    found: dict[str, str] = json.loads((OUT / "image.json").read_text("utf-8"))
    return found


@pytest.fixture(scope="session")
def root() -> Path:
    """The system as a folder, from which the squashfs was made."""
    return OUT / "root"


def all_files(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path


def holds_key(data: bytes) -> bool:
    """Whether a private key is in ``data``; most files are said no to at once."""
    return b"PRIVATE KEY-----" in data and SECRET.search(data) is not None


def setting(root: Path, name: str) -> configparser.ConfigParser:
    found = configparser.ConfigParser(strict=False, interpolation=None)
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read(root / name)
    return found


@pytest.fixture(params=["repository", pytest.param("image", marks=built)])
def either(request: pytest.FixtureRequest) -> Path:
    """Our settings as they stand in the repository, and as they came into the image."""
    return SETTINGS if request.param == "repository" else OUT / "root"


def test_nothing_is_swapped_and_no_memory_is_dumped(either: Path) -> None:
    assert "swap" not in (either / "etc/fstab").read_text("utf-8").split()
    assert "swap.target" in system.NEVER
    for pattern in ("*.swap", "zram*.ko*", "*zram-generator*", "systemd-coredump*"):
        assert list(either.rglob(pattern)) == []
    manager = setting(either, "etc/systemd/system.conf.d/doorsill.conf")["Manager"]
    assert manager["DefaultLimitCORE"] == "0"
    assert manager["DumpCore"] == "no"
    sysctl = (either / "etc/sysctl.d/90-doorsill.conf").read_text("utf-8")
    assert "kernel.core_pattern = |/bin/false\n" in sysctl
    assert "fs.suid_dumpable = 0\n" in sysctl


def test_the_journal_is_not_kept(either: Path) -> None:
    journal = setting(either, "etc/systemd/journald.conf.d/doorsill.conf")["Journal"]
    assert journal["Storage"] == "volatile"


def test_what_is_written_is_in_memory_but_for_three_folders(either: Path) -> None:
    lines = (either / "etc/fstab").read_text("utf-8").splitlines()
    rows = [line.split() for line in lines if line and line[0] != "#"]
    kept = {row[1] for row in rows if row[0].startswith("/state/")}
    assert kept == {"/etc/doorsill", "/var/lib/doorsill", "/var/lib/systemd"}
    assert {row[1] for row in rows if row[2] == "tmpfs"} == {"/var", "/tmp"}  # noqa: S108
    assert {row[0].split("/")[2] for row in rows if row[1] in kept} == set(
        layout.STATE_FOLDERS
    )


def test_the_boot_file_is_read_from_a_card_of_ours(either: Path) -> None:
    lines = (either / "etc/fstab").read_text("utf-8").splitlines()
    (row,) = (line.split() for line in lines if "/boot/firmware" in line)
    assert row[0] == f"/dev/disk/by-partuuid/{layout.identity('bootconfig')}"
    assert set(row[3].split(",")) >= {"noauto", "nofail", "nosuid", "nodev", "noexec"}


def test_the_clock_has_a_floor_that_is_kept(either: Path) -> None:
    clock = setting(either, "etc/systemd/timesyncd.conf.d/doorsill.conf")["Time"]
    assert clock["SaveIntervalSec"] == "10min"
    assert "/state/systemd /var/lib/systemd " in (either / "etc/fstab").read_text()


def test_names_are_looked_up_by_what_every_glibc_has(either: Path) -> None:
    """A part that no package brought would leave broker and fleet without addresses."""
    text = (either / "etc/nsswitch.conf").read_text("utf-8")
    rows = dict(line.split(":") for line in text.splitlines() if line)
    assert rows["hosts"].split() == ["files", "dns"]
    assert {each for row in rows.values() for each in row.split()} == {"files", "dns"}


def test_no_setting_of_the_image_hides_one_of_the_boot_file(either: Path) -> None:
    """Of two files of one name systemd reads the one below /etc, never the other."""
    for name in (LINK, CLOCK):
        inside = name.relative_to("run/systemd")
        for place in ("etc/systemd", "usr/lib/systemd"):
            assert not (either / place / inside).exists()
        assert (either / "etc/systemd" / inside.parent).is_dir(), "the control"


@pytest.mark.skipif(not shutil.which("systemctl"), reason="needs systemd's programs")
def test_what_is_never_started_stays_so_after_the_presets(tmp_path: Path) -> None:
    """systemd 252 takes the masks of modprobe@fuse.service and its like away."""
    units = tmp_path / UNITS
    units.mkdir(parents=True)
    (tmp_path / "usr/lib/tmpfiles.d").mkdir()
    (tmp_path / "etc").mkdir()
    for name in ("modprobe@.service", "multi-user.target", "getty.target"):
        (units / name).write_text("[Unit]\n[Service]\nExecStart=true\n")
    wants = units / "multi-user.target.wants"
    wants.mkdir()
    for name in ("getty.target", "systemd-logind.service"):
        (wants / name).symlink_to(f"../{name}")
    system.lay("virt", tmp_path)
    system.enable(tmp_path)
    for name in system.NEVER:
        assert (tmp_path / "etc/systemd/system" / name).readlink() == Path("/dev/null")
    assert list(wants.iterdir()) == [], "also one that leads nowhere"


def test_the_neighbours_hear_nothing(either: Path) -> None:
    resolve = setting(either, "etc/systemd/resolved.conf.d/doorsill.conf")["Resolve"]
    assert (resolve["LLMNR"], resolve["MulticastDNS"]) == ("no", "no")


def test_only_five_kinds_of_packets_leave_each_from_one_user(either: Path) -> None:
    text = (either / "etc/nftables.conf").read_text("utf-8")
    chains = dict(re.findall(r"chain (\w+) \{(.*?)\n  \}", text, flags=re.DOTALL))
    for chain in ("in", "forward", "out"):
        assert "policy drop;" in chains[chain]
    lines = [line.strip() for line in chains["out"].splitlines()]
    out = [each for each in lines if each.startswith("meta skuid")]
    users = [each.split()[2].strip('"') for each in out]
    assert users == [
        "systemd-network",
        "systemd-resolve",
        "systemd-timesync",
        "doorsill-uplink",
        "0",
    ]
    assert [line for line in chains["in"].splitlines() if "tcp" in line] == []


def test_every_service_that_keeps_state_waits_for_it() -> None:
    for name in ("vision", "uplink", "policy", "vault", "renew"):
        folder = SETTINGS / UNITS / f"doorsill-{name}.service.d"
        text = (folder / "state.conf").read_text("utf-8")
        assert "RequiresMountsFor=/etc/doorsill /var/lib/doorsill\n" in text


@built
def test_the_clock_starts_no_earlier_than_the_image(said: dict[str, str]) -> None:
    found = (OUT / "root/usr/lib/clock-epoch").stat().st_mtime
    assert int(found) == int(said["epoch"])


@built
def test_the_card_has_two_slots_a_vault_and_state(said: dict[str, str]) -> None:
    """Boot A/B, system A/B: slot b and the vault are blank, state has its folders."""
    image = OUT / said["image"]
    table = json.loads(printed("sfdisk", "--json", image))["partitiontable"]
    assert [each["name"] for each in table["partitions"]] == [
        "bootconfig", "boot_a", "boot_b", "system_a", "system_b", "vault", "state",
    ]  # fmt: skip
    with image.open("rb") as file:
        for each in table["partitions"]:
            file.seek(each["start"] * 512)
            head = file.read(1 << 20)
            kind = each["name"].partition("_")[0]
            if each["name"] in layout.BLANK:
                assert not any(head), each["name"]
            elif kind == "system":
                assert head.startswith(b"hsqs")
            else:
                mark = head[0x438:0x43A] if kind == "state" else head[82:87]
                assert mark == {"state": b"\x53\xef"}.get(kind, b"FAT32")


@built
def test_the_boot_partition_starts_what_is_checked(said: dict[str, str]) -> None:
    parts = OUT / "parts"
    assert printed("mtype", "-i", parts / "bootconfig.img", "::autoboot.txt")
    line = printed("mtype", "-i", parts / "boot_a.img", "::cmdline.txt")
    assert line.strip() == said["kernel_line"] and line.count("\n") == 1
    assert not re.search(r"\b(init|rd\.break|systemd\.debug|single|root)\b", line)
    names = printed("mdir", "-b", "-i", parts / "boot_a.img", "::").split()
    assert {"::/kernel8.img", "::/initramfs8", "::/cmdline.txt"} <= set(names)
    assert printed("mdir", "-b", "-i", parts / "boot_b.img", "::") == ""


@built
def test_in_the_squashfs_all_is_roots_and_nothing_gains_rights() -> None:
    """As the kernel will see it, and not as the folder has it."""
    listed = printed("unsquashfs", "-lln", OUT / "parts/system_a.img").splitlines()
    rows = [line.split(maxsplit=5) for line in listed if line[:1] in "-dlcbps"]
    rows = [row for row in rows if len(row) == 6]
    assert len(rows) > 2000
    assert {row[1] for row in rows} == {"0/0"}
    assert {row[0][0] for row in rows} == {"-", "d", "l"}  # no device, pipe or socket
    assert not [row for row in rows if "s" in row[0][1:].lower()]
    writable = {row[5] for row in rows if row[0][8] == "w" and row[0][0] != "l"}
    assert writable == {"squashfs-root/tmp", "squashfs-root/var/tmp"}
    shadow = next(row for row in rows if row[5].endswith("/etc/shadow"))
    assert shadow[0] == "-rw-r-----"


@built
def test_the_kernels_filter_reads_the_rules(root: Path) -> None:
    program = shutil.which("nft") or shutil.which("nft", path="/usr/sbin")
    if program is None or os.geteuid() != 0:
        pytest.skip("needs nft, as root")
    users = (root / "etc/passwd").read_text("utf-8").splitlines()
    ids = {line.split(":")[0]: line.split(":")[2] for line in users}
    text = (root / "etc/nftables.conf").read_text("utf-8")
    for name in re.findall(r'skuid "([\w-]+)"', text):
        assert name in ids, name
        text = text.replace(f'"{name}"', ids[name])
    done = subprocess.run(
        ["unshare", "--net", program, "--check", "--file", "-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )
    if "rotocol not supported" in done.stderr:
        pytest.skip("this machine's kernel has no nftables")
    assert done.returncode == 0, done.stderr


@built
def test_the_files_of_the_package_are_the_files_of_the_image(root: Path) -> None:
    """But for what is left out of every package: who reads a page has no shell here."""
    for each in files.of_package(files.CAMERA):
        path = root / each.target
        if is_left_out(str(each.target)):
            assert not os.path.lexists(path), each.target
            continue
        assert os.path.lexists(path), each.target
        plain = each.kind == "file" and not each.made and path.suffix != ".gz"
        if plain and "sysusers" not in path.parent.name:
            assert path.read_bytes() == (files.FIRMWARE / each.source).read_bytes()
        if each.kind == "file":
            assert stat.S_IMODE(path.stat().st_mode) == each.mode


def test_the_readme_is_left_out_and_the_licence_is_not(tmp_path: Path) -> None:
    """So another README makes no other image."""
    site = "opt/doorsill/lib/python3.13/site-packages/doorsill-0.1.0.dist-info"
    kept = ("usr/share/doc/doorsill/copyright", "usr/bin/doorsill")
    gone = ("usr/share/doc/doorsill/README.md", "usr/share/man/man1/doorsill.1.gz")
    for name in (*kept, *gone, f"{site}/METADATA"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("Name: doorsill\nVersion: 1\n\n# doorsill\n")
    leave_out(tmp_path)
    left = {str(e.relative_to(tmp_path)) for e in all_files(tmp_path)}
    assert left == {*kept, f"{site}/METADATA"}
    text = (tmp_path / site / "METADATA").read_text()
    assert text == "Name: doorsill\nVersion: 1\n"
    assert not (tmp_path / "usr/share/man/man1").exists()


@built
def test_nobody_has_a_password_and_ours_have_no_shell(root: Path) -> None:
    for line in (root / "etc/shadow").read_text("utf-8").splitlines():
        assert line.split(":")[1] == "!*"
    people = [
        line.split(":") for line in (root / "etc/passwd").read_text().splitlines()
    ]
    ours = {row[0]: row for row in people if row[0].startswith("doorsill-")}
    assert {"doorsill-vision", "doorsill-uplink", "doorsill-policy"} <= set(ours)
    assert "doorsill-vault" in ours
    assert {row[6] for row in ours.values()} == {"/usr/sbin/nologin"}
    assert len({row[2] for row in people}) == len(people)
    assert [row[0] for row in people if row[2] == "0"] == ["root"]
    assert stat.S_IMODE((root / "etc/shadow").stat().st_mode) == 0o640


@built
def test_our_users_share_one_group_and_nobody_is_in_another(root: Path) -> None:
    lines = (root / "etc/group").read_text("utf-8").splitlines()
    groups = {row[0]: set(filter(None, row[3].split(","))) for row in map(_row, lines)}
    ours = {"vision", "uplink", "policy", "vault"}
    assert groups["doorsill"] == {f"doorsill-{each}" for each in ours}
    assert {"doorsill-token", "gpio", "spi", "video"} <= set(groups)
    for name, members in groups.items():
        assert members <= groups["doorsill"], name  # nobody else is a member of any
        assert name == "doorsill" or not members, name


def _row(line: str) -> list[str]:
    return line.split(":")


@built
def test_nothing_gains_rights_and_nothing_is_everybodys_to_write(root: Path) -> None:
    for path in root.rglob("*"):
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        if path.is_file():
            assert not mode & (stat.S_ISUID | stat.S_ISGID), path
            assert not mode & stat.S_IWOTH, path
        assert not mode & stat.S_IWOTH or mode & stat.S_ISVTX, path


@built
def test_nobody_logs_in_but_on_the_serial_line_of_a_virtual_camera(root: Path) -> None:
    programs = {path.name for path in (root / "usr").glob("*bin/*")}
    assert programs & {"sshd", "login", "su", "sudo", "telnetd", "dropbear"} == set()
    wanted = {path.name for path in (root / "etc/systemd/system").rglob("*.wants/*")}
    assert not [name for name in wanted if "getty" in name]
    for name in ("getty.target", "serial-getty@.service", "emergency.service"):
        assert (root / "etc/systemd/system" / name).readlink() == Path("/dev/null")
    assert "serial-shell.service" in wanted
    for board in ("pi4", "pi5"):
        assert not list((system.HERE / f"system-{board}").rglob("serial-shell*"))


@built
def test_a_link_is_the_same_whichever_systemctl_has_made_it(root: Path) -> None:
    links = [p for p in (root / "etc/systemd/system").rglob("*") if p.is_symlink()]
    targets = {str(each.readlink()) for each in links}
    assert {each.split("/")[1] for each in targets if each[0] == "/"} == {"usr", "dev"}


@built
def test_what_is_started_is_what_the_preset_names(root: Path) -> None:
    started = {
        path.name
        for path in (root / "etc/systemd/system").rglob("*.wants/*")
        if path.suffix in (".service", ".target", ".timer", ".path")
    }
    named = set()
    for path in (root / "usr/lib/systemd/system-preset").glob("00-doorsill*"):
        named |= set(re.findall(r"(?m)^enable (\S+)", path.read_text("utf-8")))
    allowed = named | {
        "systemd-networkd-wait-online.service",
        "systemd-network-generator.service",
        "doorsill.target",
        *(Path(e.target).name for e in files.of_package(files.CAMERA)),
    }
    assert started <= allowed
    assert {f"{each}.service" for each in ALWAYS} <= started


@built
def test_no_key_and_no_token_is_in_it(root: Path) -> None:
    keys, vouchers = [], []
    for path in all_files(root):
        name, data = str(path.relative_to(root)), path.read_bytes()
        if holds_key(data) and not SPEAKS_OF_KEYS.search(name):
            keys.append(name)
        if VOUCHER.search(data):
            vouchers.append(name)
    assert keys == [] and vouchers == []
    for pattern in ("*.key", "ssh_host_*", "random-seed", "*credential.secret"):
        assert list(root.rglob(pattern)) == []
    assert (root / "etc/machine-id").read_bytes() == b""
    assert list((root / "etc/doorsill").iterdir()) == []


def test_the_search_for_keys_finds_one(tmp_path: Path) -> None:
    """The control: a search that finds nothing anywhere would pass as well."""
    path = tmp_path / "device.key"
    path.write_bytes(b"x\n-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n")
    assert holds_key(path.read_bytes())
    assert VOUCHER.search(b"x doorsill://fleet.example:8443/ds-4k7q2m9x/AB3D-7K2M-9 y")


@built
def test_byte_code_is_there_for_all_that_a_camera_loads(root: Path) -> None:
    """A read-only system compiles at each start what was not compiled before."""
    site = root / "opt/doorsill/lib/python3.13/site-packages/doorsill"
    for source in site.rglob("*.py"):
        made = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
        assert made.exists(), source
        assert made.read_bytes()[4:8] == b"\x01\0\0\0"  # never compared with its source
    assert list((root / "usr/lib/python3.13/__pycache__").glob("*.pyc"))


@built
def test_the_kernel_line_names_the_hash_of_the_system(said: dict[str, str]) -> None:
    match = re.search(r"doorsill\.verity=(\d+):([0-9a-f]{64})", said["kernel_line"])
    assert match is not None
    image = OUT / "parts" / "system_a.img"
    words = ["veritysetup", "verify", str(image), str(image), match[2]]
    words += ["--no-superblock", "--salt=-", f"--data-blocks={match[1]}"]
    words += [f"--hash-offset={int(match[1]) * verity.BLOCK}", "--hash=sha256"]
    words += ["--data-block-size=4096", "--hash-block-size=4096"]
    done = subprocess.run(words, check=False, capture_output=True, timeout=PROGRAM_S)
    assert done.returncode == 0, done.stderr


@built
def test_the_image_is_small_enough_and_has_all_beside_it(said: dict[str, str]) -> None:
    image = OUT / said["image"]
    assert image.with_name(f"{image.name}.zst").stat().st_size <= layout.PACKED_MOST
    text = image.with_name(f"{image.name}.bmap").read_text("utf-8")
    blocks = re.search(r"<MappedBlocksCount>\s*(\d+)", text)
    assert blocks is not None
    assert int(blocks[1]) * 4096 <= layout.IMAGE_MOST
    assert (OUT / "os_list.json").exists()


@built
def test_the_bill_names_every_package_of_the_system(said: dict[str, str]) -> None:
    text = (OUT / f"{said['image']}.cdx.json").read_text("utf-8")
    named = {each["name"] for each in json.loads(text)["components"]}
    packages = lock.locked(lock.LOCK.read_text("utf-8"))
    assert {e.package for e in lock.of_group(packages, "root", "virt")} <= named
    assert {"paho-mqtt", "numpy", "ai-edge-litert", "doorsill"} <= named


needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze"
)
OURS = ("doorsill*", "serial-shell*")
# systemd's own score: 0 is shut, 10 is open.
OPEN_BY_WORK = {
    "doorsill-wifi.service": 10.0,  # the network is its work
    "serial-shell.service": 10.0,  # a person's, of a virtual camera alone
}
SHUT = 2.5


@needs_systemd
@pytest.mark.parametrize(
    "name", [each.name for each in SETTINGS.glob(f"{UNITS}/doorsill*.service")]
)
def test_a_unit_that_only_an_image_has_is_shut(name: str) -> None:
    assert exposure(SETTINGS / UNITS / name) <= SHUT


@built
@needs_systemd
def test_every_unit_of_ours_verifies_and_is_shut(root: Path) -> None:
    ours = [path for each in OURS for path in (root / UNITS).glob(each)]
    units = [path for path in sorted(ours) if path.is_file()]
    assert {path.suffix for path in units} >= {".service", ".timer", ".path", ".target"}
    assert [line for path in units for line in faults(root, path.name)] == []
    for path in units:
        if path.suffix == ".service":
            assert exposure(path) <= OPEN_BY_WORK.get(path.name, SHUT), path.name


@built
@needs_systemd
def test_every_unit_that_is_started_verifies(root: Path) -> None:
    version = re.search(r"systemd (\d+)", printed("systemd-analyze", "--version"))
    if version is None or int(version[1]) < 257:
        pytest.skip("this machine's systemd is older than that of the image's units")
    started = {path.name for path in (root / "etc/systemd/system").rglob("*.wants/*")}
    assert [line for name in sorted(started) for line in faults(root, name)] == []


def faults(root: Path, unit: str) -> list[str]:
    """What systemd says against it."""
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"--root={root}", unit],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )
    return [line for line in done.stderr.splitlines() if unit in line]


def exposure(unit: Path) -> float:
    found = re.search(
        r"level for \S+: ([0-9.]+)",
        printed("systemd-analyze", "security", "--offline=true", "--no-pager", unit),
    )
    assert found is not None
    return float(found[1])


def printed(*words: str | Path) -> str:
    """What a program says, whatever its end."""
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )
    return done.stdout + done.stderr
