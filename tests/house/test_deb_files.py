"""The one list of files: it is whole, and what is odd in it is refused."""

from __future__ import annotations

import gzip
import stat
from pathlib import Path

import pytest

from deb.files import CAMERA, FIRMWARE, LIST, OFFICE, entries, lay, of_package

LINE = "doorsill 0644 root usr/share/x deb/copyright"
SYSTEMD = FIRMWARE / "systemd"


@pytest.mark.parametrize("folder", ["systemd", "../provisioning/systemd"])
def test_every_file_that_systemd_needs_is_in_the_list_once(folder: str) -> None:
    listed = [each.source for each in entries(LIST.read_text("utf-8"))]
    here = {f"{folder}/{each.name}" for each in (FIRMWARE / folder).iterdir()}
    assert here == {each for each in listed if each.startswith(f"{folder}/")}
    assert len([each for each in listed if each in here]) == len(here)


@pytest.mark.parametrize("package", [CAMERA, OFFICE])
def test_what_the_list_names_is_there(package: str) -> None:
    found = of_package(package)
    assert found
    for each in found:
        if each.kind == "file" and not each.made:
            assert (FIRMWARE / each.source).is_file(), each


def test_no_package_writes_where_the_shop_writes() -> None:
    targets = [str(e.target) for e in entries(LIST.read_text("utf-8"))]
    below = [e for e in targets if e.startswith(("etc/", "var/", "run/", "home/"))]
    assert below == ["etc/doorsill"]  # the empty folder


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param(
            "doorsil 0644 root a b", "no package is called doorsil", id="name"
        ),
        pytest.param("doorsill 0644 root a", "4 columns where 5", id="a column less"),
        pytest.param("doorsill 644 root a b", "mode 644", id="not octal"),
        pytest.param("doorsill 0999 root a b", "mode 0999", id="no mode"),
        pytest.param("doorsill 0644 doorsill-vault a b", "owner", id="unknown id"),
        pytest.param(
            "doorsill 0644 root /etc/x b", "not below the root", id="absolute"
        ),
        pytest.param("doorsill 0644 root ../x b", "not below the root", id="above"),
        pytest.param("doorsill 0755 root etc/x -", "a folder ends with /", id="folder"),
        pytest.param("doorsill 0755 root etc/x/ b", "a folder ends with /", id="file"),
        pytest.param(f"{LINE}\n{LINE}", "line 2: usr/share/x stands there", id="twice"),
    ],
)
def test_a_line_that_is_odd_is_refused_with_its_number(line: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"^line \d: ") as refused:
        entries(line)
    assert words in str(refused.value)


def test_it_is_laid_out_as_it_says_whatever_the_umask(tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.write_text(".TH DOORSILL")
    lay(of_package(CAMERA), tmp_path, {"manual": page})
    unit = tmp_path / "usr/lib/systemd/system/doorsill-vision.service"
    assert unit.read_bytes() == (SYSTEMD / "doorsill-vision.service").read_bytes()
    assert stat.S_IMODE(unit.stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "etc/doorsill").stat().st_mode) == 0o755
    packed = (tmp_path / "usr/share/man/man1/doorsill.1.gz").read_bytes()
    assert gzip.decompress(packed) == b".TH DOORSILL"
    assert not (tmp_path / "opt").exists()  # what nobody made is left out
    lay(of_package(CAMERA), tmp_path, {})  # again, over what is there
