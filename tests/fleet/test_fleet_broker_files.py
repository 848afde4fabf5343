"""The broker's files, where Debian's mosquitto looks for them.

A real one reads them in ``make try-deb``.
"""

from __future__ import annotations

import os
import pwd
from datetime import UTC, datetime
from pathlib import Path

import pytest

from doorsill.errors import ConfigError
from doorsill_fleet.broker import files as broker_files
from doorsill_fleet.broker.files import CONF, FOLDER, REVOKED, furnish, furnish_list
from doorsill_fleet.office import camera_folder

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to mosquitto")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root folder with what Debian's package has made; nobody stands for its user."""
    monkeypatch.setattr(broker_files, "USER", "nobody")
    (tmp_path / "root" / CONF.parent).mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return camera_folder.found(tmp_path / "stores", ["localhost"], 8883, NOW).broker


def test_the_files_are_the_brokers_and_nobody_elses(root: Path, files: Path) -> None:
    assert len(list(furnish(files, root))) == 5
    owner = pwd.getpwnam("nobody").pw_uid
    for each in (root / FOLDER).iterdir():
        found = each.stat()
        assert (found.st_uid, found.st_mode & 0o777) == (owner, 0o600)
    assert (root / FOLDER).stat().st_mode & 0o777 == 0o700
    assert (root / CONF).stat().st_uid == 0
    text = (root / CONF).read_text()
    assert "listener 8883\n" in text and f"acl_file /{FOLDER}/access" in text
    for word in ("require_certificate true", "allow_anonymous false", "tlsv1.3"):
        assert word in text


def test_a_second_time_only_what_is_new_is_written(root: Path, files: Path) -> None:
    list(furnish(files, root))
    assert list(furnish(files, root)) == ["the broker has all of it already"]
    (files / "access").write_text("user porto-1_cam-01\n")
    assert list(furnish(files, root)) == [f"wrote {root / FOLDER / 'access'}"]


def test_a_list_of_revoked_ones_brings_no_older_rights_back(
    root: Path, files: Path
) -> None:
    """What `broker follow` keeps may be older than what was installed since."""
    list(furnish(files, root))
    (root / FOLDER / "access").write_text("user porto-1_cam-22\n")
    (files / REVOKED).write_bytes(b"a list")
    assert list(furnish_list(files, root)) == [f"wrote {root / FOLDER / REVOKED}"]
    assert (root / FOLDER / REVOKED).read_bytes() == b"a list"
    assert (root / FOLDER / "access").read_text() == "user porto-1_cam-22\n"


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        pytest.param({"access"}, "reload", id="a new camera does not stop the others"),
        pytest.param({"access", "broker.pem"}, "restart", id="a certificate does"),
        pytest.param({"doorsill.conf"}, "restart", id="a listener does"),
    ],
)
def test_mosquitto_is_restarted_only_where_it_must_be(
    changed: set[str], word: str
) -> None:
    assert broker_files.verb(changed) == word


def test_without_mosquitto_it_says_what_to_install(files: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ConfigError, match="apt install mosquitto"):
        list(furnish(files, empty))
