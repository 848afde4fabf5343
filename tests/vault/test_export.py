"""An export is read only where one of our devices signed what it says of itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from devices import DeviceCA
from vaults import CA, SEALING_KEY, Bench, lease, picture

from doorsill.device.identity import Identity
from doorsill.documents import canonical
from doorsill.errors import UntrustedError
from doorsill.vault import export
from doorsill.vault.export import MAGIC
from doorsill.vault.sealing import unwrap

CROPS = 3
BEGIN = len(MAGIC) + 4
Body = dict[str, Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Identity]:
    """A file as ``doorsill vault export`` writes it, and the device that wrote it."""
    bench = Bench(tmp_path_factory.mktemp("bench"))
    bench.vault.start()
    bench.vault.open(lease())
    bench.seal(CROPS)
    session = bench.vault.session
    assert session is not None
    head = export.header(session, bench.device)
    return head + b"".join(bench.vault.sealed_records()), bench.device


def parts(data: bytes) -> tuple[Body, bytes]:
    end = BEGIN + int.from_bytes(data[len(MAGIC) : BEGIN], "big")
    return canonical.split(data[BEGIN:end])[0], data[end:]


def joined(document: bytes, records: bytes) -> bytes:
    return MAGIC + len(document).to_bytes(4, "big") + document + records


def test_an_export_opens_with_the_card_and_gives_the_crops(
    made: tuple[bytes, Identity],
) -> None:
    sealed = export.read(made[0], CA.certificate)
    assert sealed.body["device"] == "door-7"
    point = ec.EllipticCurvePublicKey.from_encoded_point(
        ec.SECP256R1(), export.peer(sealed)
    )
    cipher = unwrap(sealed.wrapped, SEALING_KEY.exchange(ec.ECDH(), point))
    crops = [plain for _, plain in export.open_records(sealed, cipher)]
    assert crops == [picture(seed).tobytes() for seed in range(CROPS)]


def test_who_knows_only_the_cards_public_key_makes_no_export(
    made: tuple[bytes, Identity], tmp_path: Path
) -> None:
    """A stranger's own device signs the same words, and seals them to the card."""
    body, records = parts(made[0])
    stranger = DeviceCA().device(tmp_path / "s", "door-7")
    forged = dict(body)
    forged["device_certificate"] = export_certificate(stranger)
    data = joined(canonical.seal(forged, stranger.key), records)
    with pytest.raises(UntrustedError, match="not certified by this device CA"):
        export.read(data, CA.certificate)
    borrowed = joined(canonical.seal(body, stranger.key), records)
    with pytest.raises(UntrustedError, match="does not match"):
        export.read(borrowed, CA.certificate)


def export_certificate(device: Identity) -> str:
    import base64

    from cryptography.hazmat.primitives.serialization import Encoding

    return base64.b64encode(device.certificate.public_bytes(Encoding.DER)).decode()


def test_another_device_of_ours_does_not_speak_for_this_one(
    made: tuple[bytes, Identity], tmp_path: Path
) -> None:
    body, records = parts(made[0])
    other = CA.device(tmp_path / "o", "door-8")
    body["device_certificate"] = export_certificate(other)
    data = joined(canonical.seal(body, other.key), records)
    with pytest.raises(
        UntrustedError, match="speaks of device door-7 but device door-8"
    ):
        export.read(data, CA.certificate)


def put(**changes: Any) -> Callable[[Body], None]:
    def act(body: Body) -> None:
        for name, value in changes.items():
            if value is ...:
                del body[name]
            else:
                body[name] = value

    return act


def record(**changes: Any) -> Callable[[Body], None]:
    return lambda body: body["records"][0].update(changes)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        pytest.param(put(key_id="zz" * 16), "header.key_id", id="no hexadecimal"),
        pytest.param(put(key_id="é" * 32), "header.key_id", id="no ASCII"),
        pytest.param(put(nonce="00"), "header.nonce", id="a short nonce"),
        pytest.param(put(wrapped=7), "must be a text", id="a number for a key"),
        pytest.param(put(ephemeral=...), "ephemeral is missing", id="no point"),
        pytest.param(put(records={}), "must be a list", id="records of another shape"),
        pytest.param(
            put(records=[[]]), "must be a table", id="a record that is a list"
        ),
        pytest.param(put(more=1), "is not an option", id="one more"),
        pytest.param(put(format="x"), "header.format", id="another format"),
        pytest.param(
            record(size=0), "below the minimum of 1", id="a record of nothing"
        ),
        pytest.param(record(size=10**9), "above the maximum", id="a record of 1 GB"),
        pytest.param(record(width=-24), "below the minimum of 8", id="minus 24 wide"),
        pytest.param(record(height=1.5), "whole number", id="a height of 1.5"),
        pytest.param(record(utc_ms=10**15), "above the maximum", id="the year 33658"),
        pytest.param(record(note="x"), "is not an option", id="a note"),
        pytest.param(record(size=900), "cut short or has more", id="another size"),
    ],
)
def test_a_header_that_is_misshapen_is_refused_though_our_device_signed_it(
    made: tuple[bytes, Identity], act: Callable[[Body], None], words: str
) -> None:
    body, records = parts(made[0])
    act(body)
    data = joined(canonical.seal(body, made[1].key), records)
    with pytest.raises(UntrustedError, match=words):
        export.read(data, CA.certificate)


@pytest.mark.parametrize(
    ("cut", "words"),
    [
        pytest.param(lambda d: b"", "not an export", id="nothing"),
        pytest.param(lambda d: d[:-1], "cut short", id="cut short"),
        pytest.param(lambda d: d + b"x", "more than it says", id="more"),
        pytest.param(lambda d: d[: BEGIN + 9], "not canonical JSON", id="no header"),
        pytest.param(
            lambda d: d.replace(b'"purpose":"validation"', b'"purpose":"salesleads"'),
            "does not match",
            id="altered",
        ),
    ],
)
def test_an_export_that_is_not_whole_is_refused(
    made: tuple[bytes, Identity], cut: Callable[[bytes], bytes], words: str
) -> None:
    with pytest.raises(UntrustedError, match=words):
        export.read(cut(made[0]), CA.certificate)


def test_a_crop_that_was_altered_is_refused(made: tuple[bytes, Identity]) -> None:
    sealed = export.read(made[0][:-1] + bytes([made[0][-1] ^ 1]), CA.certificate)
    point = ec.EllipticCurvePublicKey.from_encoded_point(
        ec.SECP256R1(), export.peer(sealed)
    )
    cipher = unwrap(sealed.wrapped, SEALING_KEY.exchange(ec.ECDH(), point))
    with pytest.raises(UntrustedError, match="is not what was sealed"):
        list(export.open_records(sealed, cipher))


def test_a_point_that_is_none_is_refused(made: tuple[bytes, Identity]) -> None:
    body, records = parts(made[0])
    body["ephemeral"] = "04" + "11" * 64
    data = joined(canonical.seal(body, made[1].key), records)
    sealed = export.read(data, CA.certificate)
    with pytest.raises(UntrustedError, match="no point of P-256"):
        export.peer(sealed)
