"""All that the camera wrote to its card in this run: no face is in it."""

from __future__ import annotations

from typing import Any

import pytest
from rig.guest import Guest
from rig.layer import EVERY
from rig.writes import search

from .camera import FACES, LEAK, Camera, Clip

LEAST = 20  # pieces of faces, or the search would prove nothing
Needles = list[tuple[str, bytes]]
Note = Any


@pytest.fixture(scope="module")
def guest(camera: Camera) -> Guest:
    if not isinstance(camera.board, Guest):
        pytest.skip("only a guest's writes can be watched")
    return camera.board


@pytest.fixture(scope="module")
def faces(guest: Guest, played: Clip) -> Needles:
    """Pieces of the faces that vision saw, as it saw them."""
    assert len(played.faces) >= LEAST
    assert all(each % EVERY == 0 for each in FACES), "vision has seen them as well"
    return [(each.hex(), each) for each in played.faces]


def test_no_face_is_in_all_that_was_written(
    camera: Camera, guest: Guest, faces: Needles, record_property: Note
) -> None:
    camera.run("sync")
    found = search(guest.log, faces)
    record_property("searched", f"{found.entries} writes, {found.bytes >> 20} MB")
    record_property("faces", f"{len(faces)} pieces, {len(found.hits)} found")
    assert found.bytes > 1 << 20, "the control: something was written"
    assert found.hits == ()


def test_the_control_a_face_that_was_written_and_wiped_is_found(
    camera: Camera, guest: Guest, faces: Needles, record_property: Note
) -> None:
    """The card shows it no more; the log of writes does."""
    leak = "/state/hil-leak"
    zeros = f"dd if=/dev/zero of={leak} bs=$(stat -c %s {leak}) count=1 conv=notrunc"
    camera.console.must(f"cp {LEAK} {leak} && sync && {zeros} && sync && rm {leak}")
    camera.run("sync")
    found = search(guest.log, faces)
    record_property("control", f"{len(found.hits)} pieces found")
    assert found.hits
    disk = guest.disk().read_bytes()
    assert not any(each in disk for _, each in faces[-5:]), "it was wiped"
