"""`doorsill-fleet flash`: a card for a camera, from the image to its label."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from card_images import (
    FAT_AT,
    MEGA,
    ROOT_AT,
    boot_text,
    make_card,
    make_image,
    noise,
    write_map,
)
from limits import PROGRAM_S
from terminal import typed

from doorsill.documents.boot.file import Static, Wifi, read_boot_file
from doorsill.documents.boot.steps import STEPS
from doorsill.documents.boot.values import Server
from doorsill.documents.boot.wiring import Wiring
from doorsill.documents.voucher import Voucher, new_secret, new_serial, root_mark
from doorsill.errors import ConfigError, UntrustedError
from doorsill_fleet.cli.main import run
from doorsill_fleet.flash import writing
from doorsill_fleet.flash.labels import CardLabel, as_pdf, lamp_table
from doorsill_fleet.flash.looking import look, look_at_disk
from doorsill_fleet.registry.devices import HandedOut
from doorsill_fleet.registry.handing_out import Label, as_csv

TABLE_BYTES = 34 * 512  # of a GPT: before the first partition
EXPIRES = datetime(2027, 1, 1, tzinfo=UTC) + timedelta(days=1)


def voucher(number: int) -> Voucher:
    random = bytes([number]) * 10
    return Voucher(
        "fleet.example", 8443, new_serial(random), new_secret(random), root_mark(b"r")
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    image = make_image(tmp_path_factory.mktemp("image") / "pi.img")
    write_map(image)
    return image


@pytest.fixture
def desk(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[str]]:
    """The words of every call, in a folder of its own with a table of vouchers."""
    monkeypatch.chdir(tmp_path)
    labels = [
        Label(HandedOut(each.serial, site, f"cam-{number}", EXPIRES, each.secret), each)
        for number, each, site in (
            (1, voucher(1), "porto-1"),
            (2, voucher(2), "lisbon-1"),
            (3, voucher(3), "porto-1"),
        )
    ]
    Path("vouchers.csv").write_bytes(as_csv(labels))
    yield ["flash", "--yes", "--image", str(made), "--site", "porto-1"]


def options_beside(words: list[str], desk: list[str]) -> list[str]:
    """What every call needs and ``words`` do not say."""
    usual = {"--voucher": "vouchers.csv", "--image": desk[3], "--site": "porto-1"}
    left = [(key, value) for key, value in usual.items() if key not in words]
    return ["--yes", *(each for pair in left for each in pair)]


def test_a_card_has_the_image_and_the_file_of_its_camera(
    made: Path, desk: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    card = make_card(Path("card"))
    assert run([*desk, "card", "--voucher", voucher(7).text()]) == 0
    file = read_boot_file(boot_text(card))
    assert file.voucher == voucher(7) and file.site == "porto-1"
    assert file.server == Server("fleet.example", 8443)
    data, wanted = card.read_bytes(), made.read_bytes()
    assert data[:TABLE_BYTES] == wanted[:TABLE_BYTES]
    assert data[ROOT_AT : ROOT_AT + MEGA] == noise(MEGA)
    said = capsys.readouterr().out
    assert "card: written and verified, porto-1 " + voucher(7).serial in said
    assert voucher(7).text()[-9:] not in said
    assert Path("label.pdf").read_bytes().startswith(b"%PDF")
    check = ["fsck.fat", "-n", "extracted"]
    Path("extracted").write_bytes(data[FAT_AT:ROOT_AT])
    subprocess.run(check, check=True, capture_output=True, timeout=PROGRAM_S)


def test_a_batch_takes_the_next_vouchers_of_the_shop_and_each_once(
    desk: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    make_card(Path("a")), make_card(Path("b"))
    words = [*desk, "--voucher", "vouchers.csv"]
    assert run([*words, "a"]) == 0
    assert read_boot_file(boot_text(Path("a"))).voucher == voucher(1)
    assert run([*words, "a", "b"]) == 2
    assert "2 cards need 2 vouchers, and 1 of porto-1" in capsys.readouterr().err
    assert run([*words, "b"]) == 0
    assert read_boot_file(boot_text(Path("b"))).voucher == voucher(3)
    assert "becomes porto-1 cam-3" in capsys.readouterr().out
    serials = {voucher(1).serial, voucher(3).serial}
    assert set(Path("vouchers.csv.flashed").read_text().split()) == serials


def test_one_card_of_a_batch_that_fails_stops_no_other(
    desk: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_card(Path("good")), make_card(Path("bad"))
    real = writing.open_card

    def open_card(path: Path) -> int:
        if path.name == "bad":
            raise UntrustedError("the card does not give back what was written")
        return real(path)

    monkeypatch.setattr(writing, "open_card", open_card)
    assert run([*desk, "--voucher", "vouchers.csv", "bad", "good"]) == 3
    said = capsys.readouterr()
    assert "bad: the card does not give back" in said.err
    assert "good: written and verified, porto-1 cam-3" in said.out
    assert Path("vouchers.csv.flashed").read_text() == voucher(3).serial + "\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param(
            "wifi = Shop\r\nwifi-password = 12345678\r\nwifi-country = PT\r\n",
            Wifi("Shop", "12345678", "PT"),
            id="Wi-Fi",
        ),
        pytest.param(
            "address = 192.0.2.9/24\ngateway = 192.0.2.1\ndns = 192.0.2.53\n",
            Static("192.0.2.9/24", "192.0.2.1", ("192.0.2.53",)),
            id="an address",
        ),
    ],
)
def test_the_network_of_the_shop_goes_on_the_card(
    desk: list[str], text: str, wanted: Wifi | Static
) -> None:
    card = make_card(Path("card"))
    Path("net.txt").write_text(text)
    own = ["--network", "net.txt", "--server", "10.0.0.5:443"]
    assert run([*desk, "card", "--voucher", "vouchers.csv", *own]) == 0
    file = read_boot_file(boot_text(card))
    assert wanted in (file.network.wifi, file.network.static)
    assert file.server == Server("10.0.0.5", 443)


def test_what_is_wired_to_the_cameras_goes_on_each_card(desk: list[str]) -> None:
    make_card(Path("a")), make_card(Path("b"))
    Path("pins.txt").write_text("reader = uTrust\nkey-switch = pinctrl-rp1:17\n")
    own = ["--voucher", "vouchers.csv", "--wiring", "pins.txt"]
    assert run([*desk, "a", "b", *own]) == 0
    for name in ("a", "b"):
        file = read_boot_file(boot_text(Path(name)))
        assert file.wiring == Wiring("uTrust", key_switch="pinctrl-rp1:17")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        pytest.param(
            ["card", "--wiring", "typo.txt"],
            "typo.txt: line 1: 'wify' is not a key of this file; known: reader,",
            id="a typo in what is wired",
        ),
        pytest.param(["small"], "1.0 MB, and the image needs 33.6 MB", id="too small"),
        pytest.param(["none"], "cannot look at none: No such file", id="no card"),
        pytest.param(["/dev/null"], "/dev/null is no disk and no file", id="no disk"),
        pytest.param(["card", "./card"], "a card is named twice", id="twice"),
        pytest.param(
            ["card", "--network", "typo.txt"],
            "typo.txt: line 1: 'wify' is not a key of this file; did you mean wifi?",
            id="a typo in the network",
        ),
        pytest.param(
            ["card", "--server", "x"], "HOST:PORT", id="a server without port"
        ),
        pytest.param(["card", "--site", "Porto 1"], "site = 'Porto 1'", id="a site"),
        pytest.param(["card", "--site", "faro-1"], "no camera of faro-1", id="no such"),
        pytest.param(["card", "--voucher", "doorsill:x"], "not one line", id="voucher"),
        pytest.param(["card", "--image", "no.img"], "there is no image", id="no image"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(
    desk: list[str], capsys: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    before = make_card(Path("card")).read_bytes()
    Path("small").write_bytes(bytes(10**6))
    Path("typo.txt").write_text("wify = x\n")
    assert run(["flash", *words, *options_beside(words, desk)]) == 2
    assert why in capsys.readouterr().err
    assert Path("card").read_bytes() == before and not Path("label.pdf").exists()


def test_nobody_there_to_ask_erases_nothing(
    desk: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = make_card(Path("card")).read_bytes()
    desk.remove("--yes")
    assert run([*desk, "card", "--voucher", "vouchers.csv"]) == 2
    said = capsys.readouterr()
    assert "card  a file, 41.9 MB, has no partition" in said.out
    assert "--yes erases without asking" in said.err
    assert Path("card").read_bytes() == before


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param("card", 0, id="its name"),
        pytest.param("yes", 2, id="another word"),
        pytest.param("", 2, id="nothing"),
    ],
)
def test_a_person_types_the_name_of_what_is_erased(
    desk: list[str], tmp_path: Path, answer: str, code: int
) -> None:
    before = make_card(Path("card")).read_bytes()
    desk.remove("--yes")
    words = [*desk, "card", "--voucher", "vouchers.csv"]
    ended, screen = typed(words, [("type card: ", answer)], tmp_path)
    assert ended == code, screen
    assert screen.index("has no partition") < screen.index("All that is on it is lost")
    assert (Path("card").read_bytes() == before) is (code != 0)


def test_an_image_that_is_no_camera_s_has_no_place_for_the_file(
    desk: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    make_card(Path("card"))
    Path("other.img").write_bytes(noise(MEGA))
    words = ["card", "--image", "other.img"]
    assert run(["flash", *words, *options_beside(words, desk)]) == 2
    assert "card: card has no FAT partition" in capsys.readouterr().err
    assert not Path("label.pdf").exists()


def test_what_is_on_a_card_is_named_before_it_is_erased(made: Path) -> None:
    lines = look(made).described()
    assert lines[0].endswith("a file, 33.6 MB, has:")
    assert lines[1].split() == ["1", "16.8", "MB", "vfat", '"DOORSILL"']
    assert lines[2].split() == ["2", "8.4", "MB", "unknown"]


def test_a_mounted_disk_and_its_partitions_are_seen(tmp_path: Path) -> None:
    """A machine's sysfs, as a card reader with a mounted partition has it."""
    disk = tmp_path / "sys/devices/usb1/block/sdz"
    (disk / "sdz1").mkdir(parents=True)
    for path, text in (
        ("dev", "8:400"), ("size", "62333952"), ("removable", "1"),
        ("device/vendor", "SanDisk"), ("device/model", "SD card"),
        ("sdz1/dev", "8:401"), ("sdz1/partition", "1"), ("sdz1/size", "2048"),
    ):  # fmt: skip
        (disk / path).parent.mkdir(exist_ok=True)
        (disk / path).write_text(text + "\n")
    mounts = tmp_path / "proc/self/mountinfo"
    mounts.parent.mkdir(parents=True)
    mounts.write_text("36 25 8:401 / /media/ana rw,noatime shared:1 - vfat /dev/x rw\n")
    (tmp_path / "proc/swaps").write_text("Filename Type\n/dev/sdz1 partition 1 0 -2\n")
    found = look_at_disk(tmp_path / "x", disk, tmp_path)
    assert found.used_by == ("/media/ana", "swap") and found.is_system
    assert (found.size, found.model) == (62333952 * 512, "SanDisk SD card")
    assert not found.fixed and not found.is_part
    part = look_at_disk(tmp_path / "x", disk / "sdz1", tmp_path)
    assert part.is_part and part.size == 2048 * 512 and part.used_by == found.used_by


def test_the_label_s_back_has_every_pattern_of_the_lamp() -> None:
    patterns = [lamp for lamp, _, _ in lamp_table()]
    assert patterns == [*(each.lamp for each in STEPS), "dark"]
    assert len(set(patterns)) == len(patterns)
    pdf = as_pdf([CardLabel("porto-1", f"cam-{n}", "ds-00000000") for n in range(13)])
    assert pdf.count(b"/Type /Page\n") == 4  # two sheets, front and back


@contextmanager
def as_loop(file: Path) -> Iterator[Path]:
    """A block device of the kernel with the content of ``file``; root's alone."""
    try:
        done = subprocess.run(
            ["losetup", "--find", "--show", str(file)],
            capture_output=True, text=True, timeout=PROGRAM_S, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no loop device here: {error}")
    device = Path(done.stdout.strip())
    try:
        yield device
    finally:
        away = ["losetup", "--detach", str(device)]
        subprocess.run(away, check=True, timeout=PROGRAM_S)


def test_a_block_device_is_written_as_a_card(desk: list[str]) -> None:
    with as_loop(make_card(Path("card"))) as device:
        assert look(device).size == 40 * MEGA
        assert run([*desk, str(device), "--voucher", "vouchers.csv"]) == 0
    assert read_boot_file(boot_text(Path("card"))).voucher == voucher(1)


def test_a_block_device_that_is_mounted_is_never_erased(
    desk: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = make_card(Path("card"))
    subprocess.run(["mkfs.ext4", "-q", "-F", str(card)], check=True, timeout=PROGRAM_S)
    with as_loop(card) as device:
        place = tmp_path / "mounted"
        place.mkdir()
        mount = ["mount", str(device), str(place)]
        if subprocess.run(mount, timeout=PROGRAM_S, check=False).returncode:
            pytest.skip("nothing can be mounted here")
        try:
            words = [*desk, str(device), "--voucher", "vouchers.csv", "--any-disk"]
            assert run(words) == 2
            assert f"is in use ({place}); unmount it" in capsys.readouterr().err
            with pytest.raises(ConfigError, match="Device or resource busy"):
                writing.open_card(device)  # the kernel's own word, if ours were wrong
        finally:
            subprocess.run(["umount", str(place)], check=True, timeout=PROGRAM_S)
