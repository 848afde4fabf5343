"""Packages come by their hash, from a copy of ours or from the machine's archive."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from doorsill.errors import UntrustedError, UplinkError
from image import archive
from image.build import own_lock
from image.lock import Locked, locked

pytestmark = pytest.mark.skipif(
    not Path(archive.HELPER).exists(), reason="needs apt's own program"
)


def package(name: str, data: bytes) -> Locked:
    sha256 = hashlib.sha256(data).hexdigest()
    return Locked(
        "root", name, "1:2~3", "arm64", len(data), sha256, "main", f"p/{name}"
    )


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive of ours in a folder."""
    folder = tmp_path / "mirror"
    (folder / "p").mkdir(parents=True)
    monkeypatch.setattr(archive, "bases", lambda: {"main": f"copy:{folder}"})
    return folder


def test_a_package_is_fetched_once(tmp_path: Path, mirror: Path) -> None:
    dash = package("dash", b"a shell")
    (mirror / "p/dash").write_bytes(b"a shell")
    (found,) = archive.fetch([dash], tmp_path / "cache")
    assert found.read_bytes() == b"a shell"
    shutil.rmtree(mirror)  # dropped: our own copy is enough
    assert archive.fetch([dash], tmp_path / "cache") == [found]


def test_every_version_that_was_dropped_is_named(tmp_path: Path, mirror: Path) -> None:
    (mirror / "p/dash").write_bytes(b"a shell")
    asked = [package(name, b"a shell") for name in ("dash", "bash", "zsh")]
    with pytest.raises(UplinkError) as caught:
        archive.fetch(asked, tmp_path / "cache")
    assert "bash 1:2~3, zsh 1:2~3" in str(caught.value)
    assert "dash 1:2~3," not in str(caught.value)
    assert "make image-lock" in str(caught.value)


def test_an_archive_with_other_bytes_gives_nothing(
    tmp_path: Path, mirror: Path
) -> None:
    (mirror / "p/dash").write_bytes(b"A shell")
    with pytest.raises((UplinkError, UntrustedError)):
        archive.fetch([package("dash", b"a shell")], tmp_path / "cache")


def test_a_copy_with_a_changed_byte_is_fetched_again(
    tmp_path: Path, mirror: Path
) -> None:
    dash = package("dash", b"a shell")
    (mirror / "p/dash").write_bytes(b"a shell")
    (found,) = archive.fetch([dash], tmp_path / "cache")
    found.write_bytes(b"a Shell")
    assert archive.fetch([dash], tmp_path / "cache")[0].read_bytes() == b"a shell"
    found.write_bytes(b"a Shell")
    shutil.rmtree(mirror)  # and it is not taken where there is no other
    with pytest.raises(UplinkError, match=r"dash 1:2~3"):
        archive.fetch([dash], tmp_path / "cache")


def test_a_machine_that_tests_goes_on_with_a_lock_of_its_own_and_says_so(
    tmp_path: Path,
    mirror: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    newer = package("dash", b"a newer shell")
    (mirror / "p/dash").write_bytes(b"a newer shell")
    monkeypatch.setattr(archive, "resolve", lambda wants, folder: [newer])
    found = own_lock((package("dash", b"a shell"),), tmp_path)
    assert found == (newer,)
    said = capsys.readouterr().out
    assert "dash 1:2~3" in said and "going on with a lock of our own" in said
    assert locked((tmp_path / "packages.lock").read_text()) == [newer]
    assert archive.fetch(found, tmp_path / "packages")


def test_a_lock_that_the_archive_still_has_is_kept(
    tmp_path: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dash = package("dash", b"a shell")
    (mirror / "p/dash").write_bytes(b"a shell")
    monkeypatch.setattr(archive, "resolve", lambda wants, folder: pytest.fail("asked"))
    assert own_lock((dash,), tmp_path) == (dash,)
    assert not (tmp_path / "packages.lock").exists()


def test_it_is_the_machines_own_archive() -> None:
    found = archive.bases()
    assert "main" in found
    assert all(not address.endswith("/") for address in found.values())
