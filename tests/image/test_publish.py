"""What lies beside an image: a map of its blocks, its packed form, a catalogue."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from limits import PROGRAM_S

from doorsill.errors import ConfigError
from image import layout, publish, sbom
from image.lock import Locked

EPOCH = 1_790_000_000
MIB = 1024 * 1024
DASH = Locked("root", "dash", "1:0.5+b1", "arm64", 7, "a" * 64, "main", "pool/d")
PYTHON = Locked("native", "python", "3", "amd64", 7, "b" * 64, "main", "pool/p")

needs_programs = pytest.mark.skipif(
    any(shutil.which(p) is None for p in ("bmaptool", "zstd", "fallocate")),
    reason="needs bmap-tools, zstd and util-linux",
)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Eight MiB with one MiB in the middle that is not zero."""
    path = tmp_path / "doorsill-pi5.img"
    path.write_bytes(bytes(4 * MIB) + b"x" * MIB + bytes(3 * MIB))
    return path


@needs_programs
def test_what_is_zero_is_not_written_to_a_card(image: Path, tmp_path: Path) -> None:
    sizes = publish.publish("pi5", image, "0.1.0", EPOCH)
    assert sizes["mapped"] == MIB
    assert "<MappedBlocksCount> 256" in image.with_suffix(".img.bmap").read_text()
    copy = tmp_path / "copy.img"
    words = ["zstd", "-q", "-d", f"{image}.zst", "-o", str(copy)]
    subprocess.run(words, check=True, timeout=PROGRAM_S)
    assert copy.read_bytes() == image.read_bytes()


@needs_programs
def test_imager_finds_all_that_it_asks_for(image: Path) -> None:
    publish.publish("pi5", image, "0.1.0", EPOCH)
    (found,) = json.loads((image.parent / "os_list.json").read_text())["os_list"]
    packed = image.parent / found["url"]
    assert found["image_download_size"] == packed.stat().st_size
    assert found["extract_size"] == 8 * MIB
    for name, path in (("extract", image), ("image_download", packed)):
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        assert found[f"{name}_sha256"] == sha256
    assert found["devices"] == ["pi5-64bit"]
    assert found["release_date"] == "2026-09-21"


@needs_programs
def test_twice_the_same(image: Path) -> None:
    beside = [image.with_suffix(f".img{each}") for each in (".bmap", ".zst")]
    beside.append(image.parent / "os_list.json")
    publish.publish("pi5", image, "0.1.0", EPOCH)
    before = [each.read_bytes() for each in beside]
    publish.publish("pi5", image, "0.1.0", EPOCH)
    assert [each.read_bytes() for each in beside] == before


@pytest.mark.parametrize("name", ["mapped", "packed"])
def test_an_image_that_is_too_large_is_refused(name: str) -> None:
    sizes = {"mapped": layout.IMAGE_MOST, "packed": layout.PACKED_MOST}
    publish.require_small(sizes)
    sizes[name] += 1
    with pytest.raises(ConfigError, match=rf"MB {name}, above the limit"):
        publish.require_small(sizes)


def bill(root: Path) -> str:
    return sbom.bill("virt", "0.1.0", [PYTHON, DASH], root, [Path("kernel.deb")])


def test_a_bill_names_packages_wheels_and_what_was_given(tmp_path: Path) -> None:
    folder = tmp_path / sbom.SITE / "paho_mqtt-2.1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Name: paho_mqtt\nVersion: 2.1.0\n\nText\n")
    found = json.loads(bill(tmp_path))
    parts = {each["name"]: each for each in found["components"]}
    assert set(parts) == {"dash", "paho-mqtt", "kernel.deb"}  # Python compiled it only
    assert parts["dash"]["purl"] == "pkg:deb/debian/dash@1%3A0.5%2Bb1?arch=arm64"
    assert parts["dash"]["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert parts["paho-mqtt"]["purl"] == "pkg:pypi/paho-mqtt@2.1.0"
    assert found["bomFormat"] == "CycloneDX"
    assert bill(tmp_path) == bill(tmp_path)
