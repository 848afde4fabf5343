"""Card in, and faces are sealed; card out, and none is: by a real reader over USB."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import pytest
from rig.guest import Guest

from doorsill.certificates.verify import Expected, verify_chain
from doorsill.documents.pem import read_certificate
from doorsill.drivers.token.piv_fake import VirtualCard
from doorsill.errors import UntrustedError

from .camera import BLANK_S, OPEN_S, Camera

PULLS = 10
PCSCD = "systemctl show --value -p InvocationID pcscd"  # which start of it this is
# Why a vault shut whose card was pulled; on a slow machine an answer may be late first.
PULLED = ("removed", "card-error", "missed-beat")
Note = Any


@pytest.fixture(scope="module")
def card(camera: Camera) -> VirtualCard:
    """Of this shop's consent CA."""
    return camera.office.card()


@pytest.fixture(scope="module")
def watched(camera: Camera) -> Camera:
    """Each change of the vault's state is noted from now on."""
    camera.give_vault()
    return camera


@pytest.fixture(autouse=True)
def _blank(watched: Camera) -> Iterator[None]:
    """Each begins with a vault that is verified blank."""
    watched.until(lambda: watched.vault().get("verified_blank"), BLANK_S, watched.words)
    yield
    watched.board.pull()


def opened(camera: Camera, card: VirtualCard) -> dict[str, Any]:
    camera.board.insert(card)
    camera.until(lambda: camera.vault()["state"] == "open", OPEN_S, camera.words)
    return camera.vault()


def blank_again(camera: Camera) -> dict[str, Any]:
    """No more than what the vault says: shut, and read back."""
    camera.until(lambda: camera.vault().get("verified_blank"), BLANK_S, camera.words)
    said = camera.vault()
    assert said["state"] == "blank" and said["sealed"] == 0
    return said


def test_a_card_opens_the_vault_and_faces_are_sealed(
    watched: Camera, card: VirtualCard, record_property: Note
) -> None:
    began = time.time()
    opened(watched, card)
    record_property("open", f"{watched.vault()['at'] - began:.1f} s after the card")
    watched.until(lambda: watched.vault()["sealed"] > 0, 60.0, watched.words)
    watched.board.pull()
    blank_again(watched)


def test_a_pulled_card_shuts_it_each_time(
    watched: Camera, card: VirtualCard, record_property: Note
) -> None:
    shut, blank = [], []
    for _ in range(PULLS):
        opened(watched, card)
        began = time.monotonic()
        watched.board.pull()
        said = blank_again(watched)
        blank.append(time.monotonic() - began)
        shut += said["shut_after_us"]
        assert said["last_reason"] in PULLED
    record_property(
        "pulls", f"{len(blank)}, heard to be blank within {max(blank):.1f} s"
    )
    middle, most = statistics.median(shut) / 1000, max(shut) / 1000
    words = f"{middle:.1f} ms after it was seen to be gone, at most {most:.1f}"
    record_property("key destroyed", words)


def test_an_unplugged_reader_shuts_it(watched: Camera, card: VirtualCard) -> None:
    opened(watched, card)
    watched.board.plug_reader(False)
    said = blank_again(watched)
    assert said["last_reason"] in ("reader-gone", *PULLED)
    watched.board.plug_reader(True)
    opened(watched, card)


def test_a_reader_that_loses_an_answer_holds_nobody_up(
    watched: Camera, card: VirtualCard, record_property: Note
) -> None:
    """pcscd waits for it for minutes, and lets nobody speak to the card meanwhile."""
    if not isinstance(watched.board, Guest):
        pytest.skip("the reader of a bench loses no answer when we ask it to")
    opened(watched, card)
    watched.board.lose_answer()
    assert blank_again(watched)["last_reason"] == "missed-beat"
    before, began = watched.run(PCSCD), time.monotonic()
    opened(watched, card)
    record_property("after a lost answer", f"{time.monotonic() - began:.1f} s")
    assert watched.run(PCSCD) != before


def test_a_killed_pcscd_shuts_it(watched: Camera, card: VirtualCard) -> None:
    opened(watched, card)
    watched.run("systemctl kill --signal=SIGKILL pcscd.service")
    blank_again(watched)
    opened(watched, card)  # systemd starts it again for the next question


def test_the_chain_of_certificates_is_true_when_verified_here(
    watched: Camera, record_property: Note
) -> None:
    """On this machine, with the device CA alone; and no face is in it."""
    folder = "/var/lib/doorsill/vault/certificates"
    names = watched.run(f"ls {folder}").split()
    documents = {
        name: watched.console.read_file(f"{folder}/{name}")
        for name in names
        if name.endswith(".json")
    }
    head = "head.json", documents.pop("head.json")
    authority = read_certificate(watched.office.fleet / "issuing.pem")
    found = verify_chain(
        sorted(documents.items()), head, authority, Expected(watched.device)
    )
    assert len(found) >= PULLS
    record_property("certificates", f"{len(found)}, verified on the host")
    name = min(documents)
    other = documents[name].replace(watched.device.encode(), b"cam-99", 1)
    assert other != documents[name]
    changed = sorted((documents | {name: other}).items())
    with pytest.raises(UntrustedError):  # the control
        verify_chain(changed, head, authority, Expected(watched.device))
