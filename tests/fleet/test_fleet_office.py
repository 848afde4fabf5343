"""An office makes all that a camera and a broker need, and overwrites nothing."""

from __future__ import annotations

import os
import re
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from doorsill.cli import main
from doorsill.config import read_config
from doorsill.device import identity
from doorsill.documents import canonical, pem
from doorsill.errors import ConfigError, DoorsillError, UntrustedError
from doorsill.policy import document
from doorsill_fleet.ca.authority import reader_name
from doorsill_fleet.cli.main import run
from doorsill_fleet.office import camera_folder
from doorsill_fleet.office.camera_folder import Camera, Office

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
BROKER = "broker.porto-1.example"


@pytest.fixture
def stores(tmp_path: Path) -> Office:
    return camera_folder.found(tmp_path / "stores", [BROKER, "192.0.2.10"], 8884, NOW)


def signed(stores: Office, **changed: object) -> Path:
    """A policy for porto-1, signed by this office's controller."""
    draft, out = stores.folder / "draft.toml", stores.folder / "policy.json"
    if out.exists():
        return out
    words = ["--site", "porto-1", "--controller", "Example Stores, Porto"]
    assert main.run(["policy", "new", str(draft), *words]) == 0
    text = draft.read_text()
    for key, value in changed.items():
        text = text.replace("format = ", f"{key} = {value}\nformat = ", 1)
    draft.write_text(text)
    key = stores.folder / "controller.key"
    words = ["--key", str(key), "--out", str(out)]
    assert main.run(["policy", "sign", str(draft), *words]) == 0
    draft.unlink()
    return out


def no_passphrase() -> bytes:
    raise AssertionError("nobody was to be asked")


def admit(stores: Office, device: str = "cam-01", **more: str) -> Path:
    camera = Camera("porto-1", device, signed(stores), **more)
    return camera_folder.admit(stores, camera, NOW, no_passphrase)


def test_an_office_keeps_its_keys_to_itself(stores: Office) -> None:
    for path in stores.folder.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir() or path.suffix == ".key":
            assert mode & 0o077 == 0, path
    assert not (stores.broker / "ca.key").exists()
    assert pem.read_key(stores.folder / "controller.key")


def test_a_camera_gets_what_its_configuration_names(stores: Office) -> None:
    made = admit(stores)
    config, problems = read_config(made / "doorsill.toml")
    assert problems == [] and config is not None
    assert (config.device.site, config.device.id) == ("porto-1", "cam-01")
    assert (config.broker.host, config.broker.port) == (BROKER, 8884)
    assert config.camera.driver == "picamera" and config.consent is None
    for path in (
        config.broker.ca,
        config.broker.certificate,
        config.broker.key,
        config.policy.file,
        config.policy.controller_key,
    ):
        assert path.parent == made and path.is_file()
    found = identity.load(made)
    assert (found.site, found.device) == ("porto-1", "cam-01")
    found.certificate.verify_directly_issued_by(pem.read_certificate(made / "ca.pem"))
    assert {each.name for each in made.iterdir()} == {
        "ca.pem",
        "controller.key.pub",
        "device.crt",
        "device.key",
        "doorsill.toml",
        "policy.json",
    }


@pytest.mark.parametrize(
    ("driver", "source"),
    [
        pytest.param("street", "", id="simulated"),
        pytest.param("video", "/dev/video0", id="a webcam"),
        pytest.param("video", 'a "quoted" \\name', id="a name that TOML would read"),
    ],
)
def test_another_camera_is_written_as_it_was_given(
    stores: Office, driver: str, source: str
) -> None:
    made = admit(stores, driver=driver, source=source)
    config, problems = read_config(made / "doorsill.toml")
    assert problems == [] and config is not None
    assert (config.camera.driver, config.camera.source) == (driver, source)


def test_the_access_list_follows_the_folders(stores: Office) -> None:
    admit(stores)
    admit(stores, "cam-02")
    access = (stores.broker / "access").read_text()
    users = [each for each in access.splitlines() if each.startswith("user ")]
    assert users == [
        "user porto-1_cam-01",
        "user porto-1_cam-02",
        f"user {reader_name('store')}",
    ]
    (stores.cameras / "porto-1_cam-01").rename(stores.folder / "away")
    stores.write_access()
    assert "cam-01" not in (stores.broker / "access").read_text()


@pytest.mark.parametrize(
    ("site", "device", "error", "words"),
    [
        pytest.param("porto-2", "cam-01", UntrustedError, "porto-1", id="other site"),
        pytest.param("../x", "cam-01", ConfigError, "'../x'", id="a path as site"),
        pytest.param("porto-1", "Cam", ConfigError, "'Cam'", id="capital letter"),
        pytest.param("porto-1", "", ConfigError, "''", id="no id"),
        pytest.param("porto-1", "a" * 17, ConfigError, "16", id="17 characters"),
    ],
)
def test_a_camera_that_cannot_be_is_refused_and_leaves_nothing(
    stores: Office, site: str, device: str, error: type[DoorsillError], words: str
) -> None:
    camera = Camera(site, device, signed(stores))
    with pytest.raises(error, match=re.escape(words)):
        camera_folder.admit(stores, camera, NOW, no_passphrase)
    assert list(stores.cameras.iterdir()) == []


def test_an_office_that_was_cut_short_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "stores"
    with monkeypatch.context() as cut:
        cut.setattr(camera_folder.Authority, "issue_reader", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            camera_folder.found(folder, [BROKER], 8884, NOW)
    assert not folder.exists()
    assert camera_folder.found(folder, [BROKER], 8884, NOW).admitted_cameras() == []
    assert camera_folder.open_office(folder).folder == folder


def test_a_camera_that_was_cut_short_has_no_rights(
    stores: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed(stores)
    with monkeypatch.context() as cut:
        cut.setattr(camera_folder, "read_config", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            admit(stores)
    admit(stores, "cam-02")
    assert stores.admitted_cameras() == [("porto-1", "cam-02")]
    assert ".porto-1" not in (stores.broker / "access").read_text()
    admit(stores)
    assert stores.admitted_cameras() == [("porto-1", "cam-01"), ("porto-1", "cam-02")]


def test_a_policy_of_another_controller_is_refused(
    stores: Office, tmp_path: Path
) -> None:
    other = camera_folder.found(tmp_path / "other", [BROKER], 8883, NOW)
    camera = Camera("porto-1", "cam-01", signed(other))
    with pytest.raises(UntrustedError):
        camera_folder.admit(stores, camera, NOW, no_passphrase)


def test_a_policy_that_names_other_devices_is_refused(stores: Office) -> None:
    camera = Camera("porto-1", "cam-01", signed(stores, devices='["cam-09"]'))
    with pytest.raises(UntrustedError, match="cam-09"):
        camera_folder.admit(stores, camera, NOW, no_passphrase)


def test_a_camera_and_an_office_are_never_overwritten(stores: Office) -> None:
    key = (admit(stores) / "device.key").read_bytes()
    with pytest.raises(ConfigError, match="remove it first"):
        admit(stores)
    assert (stores.cameras / "porto-1_cam-01/device.key").read_bytes() == key
    with pytest.raises(ConfigError, match="never overwritten"):
        camera_folder.found(stores.folder, [BROKER], 8883, NOW)


def test_with_a_passphrase_nobody_reads_the_two_keys_without_it(
    tmp_path: Path,
) -> None:
    made = camera_folder.found(tmp_path / "o", [BROKER], 8883, NOW, b"long enough")
    for name in ("ca.key", "controller.key"):
        assert b"ENCRYPTED" in (made.folder / name).read_bytes()
        with pytest.raises(ConfigError, match="is encrypted"):
            pem.read_key(made.folder / name)
    key = pem.read_key(made.folder / "controller.key", lambda: b"long enough")
    body = {
        "format": document.FORMAT, "version": 1, "site": "porto-1", "purpose": "count",
        "controller": "Example Stores, Porto", "timezone": "UTC", "attributes": False,
        "k": 10, "epsilon_per_day": 1.0, "live_seconds": 60,
        "lines": [{"id": "door", "points": [[0.0, 0.5], [1.0, 0.5]]}],
    }  # fmt: skip
    (tmp_path / "p.json").write_bytes(canonical.seal(body, key))
    camera = Camera("porto-1", "cam-01", tmp_path / "p.json")
    with pytest.raises(ConfigError, match="passphrase"):
        camera_folder.admit(made, camera, NOW, lambda: b"wrong words")
    assert camera_folder.admit(made, camera, NOW, lambda: b"long enough").is_dir()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["ca"], "FOLDER", id="no folder"),
        pytest.param(["ca", "x"], "--broker", id="no broker"),
        pytest.param(["ca", "x", "--broker", "a b"], "'a b'", id="a blank in a name"),
        pytest.param(["ca", "x", "--broker", "b", "--port", "0"], "0", id="port 0"),
        pytest.param(["ca", "no/x", "--broker", "b"], "no folder", id="no parent"),
        pytest.param(["ca", "x", "--brokr", "b"], "--broker", id="misspelt"),
        pytest.param(["camra", "x"], "camera", id="misspelt command"),
        pytest.param(
            ["camera", "x", "s", "d", "--policy", "p"], "is no office", id="no office"
        ),
        pytest.param(
            ["broker", "install", "x"],
            "x" if os.geteuid() == 0 else "run as root",
            id="no broker's files",
        ),
    ],
)
def test_a_wrong_command_line_is_a_sentence_and_exit_code_2(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(words) == 2
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_the_commands_work_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["ca", "stores", "--broker", BROKER]) == 0
    made = signed(Office(Path("stores")))
    words = ["--policy", str(made), "--camera", "video:/dev/video0"]
    assert run(["camera", "stores", "porto-1", "cam-01", *words]) == 0
    assert Path("stores/cameras/porto-1_cam-01/device.key").is_file()
    assert run(["camera", "stores", "porto-1", "cam-02", *words[:2]]) == 0
    assert Path("stores/broker/access").read_text().count("user porto-1_") == 2
