"""What goes home is the signed document to the byte, or it does not go at all."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from devices import AROUND, SIZE, DeviceCA, blanking

from doorsill.certificates import claims
from doorsill.certificates.compact import IN_MEMORY, Known, compact, expand
from doorsill.device.identity import Identity
from doorsill.documents import canonical
from doorsill.drivers.media.medium import MediumFacts
from doorsill.errors import UntrustedError
from doorsill.vault.chain import CertificateChain
from doorsill.wire.certificate import Certificate
from doorsill.wire.codec import decode, encode

CA = DeviceCA()
MEMORY = MediumFacts("memory", IN_MEMORY, SIZE)
SILENT = MediumFacts("sram", "serial SRAM of 128 KiB", 128 << 10)


@pytest.fixture
def door(tmp_path: Path) -> Identity:
    return CA.device(tmp_path / "door", "door-7")


def known_of(device: Identity, **more: Any) -> Known:
    der = device.certificate.public_bytes(serialization.Encoding.DER)
    return Known({sha256(der).hexdigest(): der}, **{"purposes": ["validation"], **more})


def around(**changes: Any) -> dict[str, Any]:
    return {"surroundings": replace(AROUND, **changes)}


GOOD: list[Any] = [
    pytest.param({}, id="a card that was pulled"),
    pytest.param({"leases": (), "key_id": None, "reason": "start"}, id="a start"),
    pytest.param({"policy": None, "leases": (), "key_id": None}, id="no policy"),
    pytest.param(around(time_source=claims.SYNCHRONISED), id="a good clock"),
    pytest.param(
        around(sectors_written={"mmcblk0": 1, "mmcblk0boot1": 2, "nvme0n1": 3, "sda": 4,
                                "vdz": 5, "dm-12": 6, "md127": 7, "sr0": 8}),
        id="eight disks",
    ),
    pytest.param(around(sectors_written={}), id="no disk"),
    pytest.param({"blank": False, "read_back_sha256": "ab" * 32}, id="not blank"),
]  # fmt: skip


@pytest.mark.parametrize("changes", GOOD)
def test_it_comes_back_to_the_byte(
    tmp_path: Path, door: Identity, changes: dict[str, Any]
) -> None:
    chain = CertificateChain(tmp_path / "c", door)
    path = chain.append(blanking(chain, medium=MEMORY, **changes))
    payload = encode(compact(path.read_bytes()))
    assert len(payload) <= 4096
    message = decode("certificate", payload)
    assert isinstance(message, Certificate)
    again = expand(message, "door-7", known_of(door))
    assert again == path.read_bytes()


def test_a_memory_without_power_comes_back_too(tmp_path: Path, door: Identity) -> None:
    chain = CertificateChain(tmp_path / "c", door)
    seed = chain.seed(None)
    path = chain.append(
        blanking(
            chain,
            medium=SILENT,
            leases=(),
            key_id=None,
            reason="start",
            blank=False,
            methods=(claims.NO_ANSWER,),
            read_back_sha256=claims.blank_digest(seed, 0),
        )
    )
    message = compact(path.read_bytes())
    assert message.read_back is None
    assert expand(message, "door-7", known_of(door)) == path.read_bytes()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(around(core_dumps="to |/usr/bin/anna"), id="a path"),
        pytest.param(around(sectors_written={"anna": 1}), id="a disk with a name"),
        pytest.param(around(sectors_written={"sd5": 1}), id="a number for a letter"),
        pytest.param(around(sectors_written={"md007": 1}), id="zeros before a number"),
        pytest.param(around(sectors_written={"md256": 1}), id="too high a number"),
        pytest.param(
            around(sectors_written={f"md{n}": 1 for n in range(9)}), id="nine disks"
        ),
        pytest.param({"methods": ("overwritten", "key-destroyed")}, id="another order"),
        pytest.param({"reason": "anna"}, id="a reason of its own"),
    ],
)
def test_a_word_of_its_own_does_not_leave(
    tmp_path: Path, door: Identity, changes: dict[str, Any]
) -> None:
    chain = CertificateChain(tmp_path / "c", door)
    path = chain.append(blanking(chain, medium=MEMORY, **changes))
    with pytest.raises(UntrustedError):
        compact(path.read_bytes())


def test_another_release_and_other_limits_do_not_leave(
    tmp_path: Path, door: Identity
) -> None:
    chain = CertificateChain(tmp_path / "c", door)
    body, _ = canonical.split(chain.append(blanking(chain)).read_bytes())
    for change in ({"tool": "anna 1"}, {"limits": ["anna"]}, {"more": "anna"}):
        with pytest.raises(UntrustedError):
            compact(canonical.seal({**body, **change}, door.key))
    for nothing in (b"", b"{}", canonical.seal({}, door.key)):
        with pytest.raises(UntrustedError):
            compact(nothing)


def test_what_is_not_known_here_is_said(tmp_path: Path, door: Identity) -> None:
    chain = CertificateChain(tmp_path / "c", door)
    disk = MediumFacts("partition", "mmcblk0p4", SIZE)
    message = compact(chain.append(blanking(chain, medium=disk)).read_bytes())
    with pytest.raises(UntrustedError, match="is not among those that are known"):
        expand(message, "door-7", Known({}))
    with pytest.raises(UntrustedError, match="its medium has a name that is not known"):
        expand(message, "door-7", known_of(door))
    with pytest.raises(UntrustedError, match="the purpose of its card"):
        expand(message, "door-7", known_of(door, media=["mmcblk0p4"], purposes=["x"]))
    assert expand(message, "door-7", known_of(door, media=["mmcblk0p4"]))
    with pytest.raises(UntrustedError, match="only a part"):
        part = replace(message, lease_card=None)
        expand(part, "door-7", known_of(door, media=["mmcblk0p4"]))
