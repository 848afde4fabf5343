"""The lock of the image's packages: read strictly, written the same way every time."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from doorsill.errors import ConfigError, UntrustedError
from image import lock, renew
from image.lock import Locked

ONE = Locked("root", "dash", "0.5", "arm64", 7, "a" * 64, "main", "pool/d/dash.deb")
TWO = Locked("boot", "busybox", "1:1.37+b9", "arm64", 9, "b" * 64, "main", "pool/b.deb")


def test_what_is_written_is_read_again_in_one_order() -> None:
    text = lock.written([TWO, ONE])
    assert lock.locked(text) == [ONE, TWO]
    assert lock.written([ONE, TWO]) == text


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("root dash 0.5 arm64 7 abc main pool/d", id="no hash"),
        pytest.param(f"root dash 0.5 arm64 seven {'a' * 64} main pool/d", id="size"),
        pytest.param("root dash", id="cut off"),
    ],
)
def test_a_line_that_is_none_is_named(line: str) -> None:
    with pytest.raises(ConfigError, match=r"line 2 .*make image-lock"):
        lock.locked(f"# a lock\n{line}\n")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("loot dash trixie a shell", "the group is one of", id="group"),
        pytest.param("root dash trixie", "why belong there", id="no reason"),
        pytest.param("root dash a b\nroot dash a b", "there twice", id="twice"),
    ],
)
def test_a_wish_without_a_reason_is_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        lock.wants(text)


def test_a_file_with_a_changed_byte_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "dash.deb"
    path.write_bytes(b"as it was")
    pinned = hashlib.sha256(b"as it was").hexdigest()
    assert lock.check(path, pinned, "dash 0.5") == path
    path.write_bytes(b"as it waz")
    with pytest.raises(UntrustedError, match=rf"dash\.deb.*dash 0\.5.*{pinned}"):
        lock.check(path, pinned, "dash 0.5")


def test_our_own_lock_has_all_that_is_wished_for_and_no_address() -> None:
    text = lock.LOCK.read_text("utf-8")
    there = {(each.group, each.package) for each in lock.locked(text)}
    wishes = lock.wants(lock.WANTED.read_text("utf-8"))
    wanted = {(e.group, e.package) for e in wishes if e.group != "absent"}
    assert wanted <= there
    absent = {each.package for each in wishes if each.group == "absent"}
    assert {package for group, package in there if group == "root"} & absent == set()
    assert re.findall(r"\w+://\S+", text) == []


def test_a_renewal_says_what_came_went_and_changed() -> None:
    newer = Locked(**{**_fields(ONE), "version": "0.6"})
    other = Locked(**{**_fields(ONE), "sha256": "c" * 64})
    assert renew.changes([ONE], [newer]) == ["dash 0.5 -> 0.6"]
    assert renew.changes([ONE], [other]) == ["dash 0.5: the same version, other bytes"]
    assert renew.changes([ONE], [TWO]) == [
        "busybox 1:1.37+b9 comes in (boot)",
        "dash 0.5 goes (root)",
    ]
    assert renew.changes([ONE], [ONE]) == []


def _fields(each: Locked) -> dict[str, object]:
    return {name: getattr(each, name) for name in Locked.__slots__}
