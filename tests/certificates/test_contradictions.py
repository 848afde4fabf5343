"""What the rightful device signs, and cannot be true: refused, each with its sentence.

A chain of three, a start and two sessions, is honest; then one thing in it is changed
and signed again, as a device that lies would.
"""

import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from devices import AROUND, BEGIN, SIZE, UTC_MS, DeviceCA, blanking

from doorsill.certificates import claims, contradictions
from doorsill.certificates.claims import SYNCHRONISED
from doorsill.certificates.examine import Document
from doorsill.certificates.verify import AHEAD, Expected, reservations, verify_chain
from doorsill.channels import crops
from doorsill.cli import main
from doorsill.device.identity import Identity
from doorsill.documents import canonical
from doorsill.documents.strict_x509 import revoked_by
from doorsill.drivers.media.medium import MediumFacts
from doorsill.errors import UntrustedError
from doorsill.policy import document
from doorsill.vault.chain import CertificateChain
from doorsill_fleet.ca.authority import Authority

CA = DeviceCA()
DAY_MS = 86_400_000
SECOND = datetime.timedelta(seconds=1)
LATER = UTC_MS + 240_000  # when the third was signed
Body = dict[str, Any]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return CA.device(tmp_path_factory.mktemp("door") / "id", "door-7")


def chain_of(folder: Path, device: Identity, **third: Any) -> list[Document]:
    chain = CertificateChain(folder, device)
    chain.append(blanking(chain, leases=(), reason="start", policy=None))
    chain.append(blanking(chain))
    chain.append(blanking(chain, **third))
    return documents(folder)


def documents(folder: Path) -> list[Document]:
    return [(p.name, p.read_bytes()) for p in sorted(folder.glob("0*.json"))]


def proved(body: Body) -> Body:
    """Its read-back made to fit again: the lie is elsewhere."""
    key, found = body["key"]["id"], body["read_back"]
    seed = claims.read_back_seed(body["previous"], body["counter"], key)
    size = body["medium"]["size"]
    found["seed"], found["blocks"] = seed.hex(), -(-size // claims.BLOCK_BYTES)
    found["sha256"] = claims.blank_digest(seed, size)
    kind = body["medium"]["kind"]
    body["nist_class"], body["nist_words"] = claims.class_of(kind, answered=True)
    return body


def lies(
    told: list[Document], signer: Identity, lie: Callable[[Body], object]
) -> list[Document]:
    body, _ = canonical.split(told[-1][1])
    lie(body)
    return [*told[:-1], (told[-1][0], canonical.seal(proved(body), signer.key))]


def put(**changes: Any) -> Callable[[Body], None]:
    """Set ``section__option``; ``...`` removes it."""

    def lie(body: Body) -> None:
        for name, value in changes.items():
            *path, last = name.split("__")
            table: Any = body
            for step in path:
                table = table[int(step) if step.isdecimal() else step]
            if value is ...:
                del table[last]
            else:
                table[last] = value

    return lie


def twice(body: Body) -> None:
    body["leases"] = body["leases"] * 2


def of_the_second(body: Body) -> None:
    body["key"]["id"] = "01" + "cc" * 15


def no_key(body: Body) -> None:
    body["key"] = {"id": None, "destroyed": False}
    body["methods"] = ["overwritten"]


def disks(count: int) -> dict[str, int]:
    return {f"x{number}": 1 for number in range(count)} | {"mmcblk0": 8}


DIED: Body = {
    "reason": "died",
    "leases__0__reason": "died",
    "leases__0__closed_ms": LATER - 60_000,
    "leases__0__sealed": 0,
    "leases__0__sealed_bytes": 0,
}
FILE = {"kind": "file", "identity": "faces.bin", "size": SIZE}
LIES = [
    # What the verifier took before.
    ("crops without a key", no_key, "it was open, and no key was ever made"),
    (
        "a lease that ends after the certificate",
        put(leases__0__closed_ms=LATER + DAY_MS // 24),
        "its lease ended at 2026-06-01 01:04:00, after the certificate",
    ),
    ("two leases that overlap", twice, "2 leases; a key lives for one lease alone"),
    ("a lease of 40 years", put(leases__0__opened_ms=0), "no policy allows over 4"),
    (
        "9 GB on 10 kB",
        put(leases__0__sealed=1, leases__0__sealed_bytes=9 * 10**9),
        "it sealed 9000000000 bytes onto a medium of 10000 bytes",
    ),
    (
        "a medium that shrank",
        put(medium__size=8000),
        r"the medium was locked memory \(memory, 10000 bytes\) and is .* 8000 bytes",
    ),
    (
        "a month back",
        put(time__utc_ms=LATER - 30 * DAY_MS, leases=[], reason="died"),
        "the time goes back from 2026-06-01 .* within one boot",
    ),
    ("a start after a lease", put(reason="start"), "and yet it was open before"),
    ("a key that was destroyed before", of_the_second, "was destroyed before, in 0+2"),
    (
        "a file that is discarded first",
        put(medium=FILE, methods=["key-destroyed", "discarded", "overwritten"]),
        "gives its blocks back before they are overwritten",
    ),
    ("a C1 control", put(system__core_dumps="to \x9b2J"), "system.core_dumps"),
    (
        "20,000 disks",
        put(system__sectors_written=disks(20_000)),
        "names 20001 disks; the limit is 32",
    ),
    (
        "a disk that is not named any more",
        put(system__sectors_written={}),
        "the disk mmcblk0 is not named any more within one boot",
    ),
    # And more of these kinds.
    (
        "a lease of four hours and two minutes",
        put(leases__0__opened_ms=LATER - 14_520_000),
        "open for 4.0 hours; no policy allows over 4",
    ),
    (
        "a key that was never open",
        put(leases=[]),
        "the key 02c+ was made, but nothing was ever open",
    ),
    (
        "a destroyed key without a name",
        put(key__id=None),
        "a key was destroyed that has no name",
    ),
    (
        "a key whose name is not known",
        put(key__id="0" * 32),
        "the name of its key is not known, but its lease is",
    ),
    ("open under no policy", put(policy=None), "open under no policy at all"),
    (
        "two reasons",
        put(leases__0__reason="expired"),
        "its lease ended because the card's .*, and it was blanked because the card w",
    ),
    (
        "power that comes back to an open vault",
        put(reason="power-back", leases__0__reason="power-back"),
        "because the memory has its power back, and yet it was open before",
    ),
    (
        "another medium under an open vault",
        put(reason="new-medium", leases__0__reason="new-medium"),
        "another medium than before, and yet it was open before",
    ),
    (
        "a crash that knows its end",
        put(**{**DIED, "leases__0__closed_ms": LATER}),
        "it died, and yet it knows when its lease ended",
    ),
    (
        "a crash that counted",
        put(**{**DIED, "leases__0__sealed": 1, "leases__0__sealed_bytes": 300}),
        "it died, and yet it knows how much was sealed",
    ),
    (
        "a crash of tomorrow, by a clock that is right",
        put(
            **{**DIED, "leases__0__closed_ms": LATER + DAY_MS},
            leases__0__opened_ms=LATER + DAY_MS,
            time__source=SYNCHRONISED,
        ),
        "its lease ended at 2026-06-02 .*, after the certificate",
    ),
    (
        "10,001 crops",
        put(leases__0__sealed=10_001),
        "it sealed 10001 crops; no policy allows over 10000",
    ),
    ("bytes of no crop", put(leases__0__sealed=0), "7000 bytes cannot be 0 sealed"),
    (
        "crops too small to be crops",
        put(leases__0__sealed_bytes=7 * 219),
        "1533 bytes cannot be 7 sealed crops",
    ),
    (
        "crops exported that were never sealed",
        put(leases__0__sealed=0, leases__0__sealed_bytes=0, leases__0__exported=3),
        "3 crops were exported, none sealed",
    ),
    (
        "open while the one before says shut",
        put(leases__0__opened_ms=LATER - 240_000),
        "the certificate before it, of 2026-06-01 00:02:00, says that it was shut",
    ),
    (
        "back on a clock that was right both times",
        put(
            boot="2" * 36,
            time__utc_ms=LATER - DAY_MS,
            time__source=SYNCHRONISED,
            leases=[],
            reason="died",
        ),
        "on a clock that was right both times",
    ),
    (
        "back from a clock that was right, within a boot",
        put(time__utc_ms=LATER - DAY_MS, leases=[], reason="died"),
        "the time goes back .* within one boot",
    ),
    (
        "another medium without a start",
        put(medium__identity="another memory"),
        "and is another memory .*, and no start in between says so",
    ),
    (
        "writing that turns round",
        put(medium__identity="mem\u202eyrom"),
        "medium.identity",
    ),
    ("a disk with a newline", put(system__sectors_written={"x\n": 1}), "is no disk"),
    (
        "sectors that go back",
        put(system__sectors_written={"mmcblk0": 7}),
        "the sectors written to mmcblk0 go back from 8 to 7 within one boot",
    ),
]


@pytest.mark.parametrize(
    ("lie", "words"), [e[1:] for e in LIES], ids=[e[0] for e in LIES]
)
def test_a_certificate_that_contradicts_itself_is_refused_with_its_sentence(
    tmp_path: Path, door: Identity, lie: Callable[[Body], object], words: str
) -> None:
    right = replace(AROUND, time_source=SYNCHRONISED)
    told = chain_of(tmp_path / "c", door)
    if "right" in words or "within one boot" in words:
        told = synchronised(tmp_path / "r", door, right)
    assert verify_chain(told, None, CA.certificate, Expected("door-7"))  # the control
    with pytest.raises(UntrustedError, match=words) as caught:
        verify_chain(lies(told, door, lie), None, CA.certificate, Expected("door-7"))
    assert str(caught.value).startswith("0000000003.json: ")
    assert "\n" not in str(caught.value)


def synchronised(folder: Path, device: Identity, around: Any) -> list[Document]:
    """The same chain on a device whose clock is right."""
    chain = CertificateChain(folder, device)
    chain.append(blanking(chain, leases=(), reason="start", surroundings=around))
    for _ in range(2):
        chain.append(blanking(chain, surroundings=around))
    return documents(folder)


def test_there_are_the_reports_and_more_than_twenty_of_ours() -> None:
    assert len(LIES) - 13 >= 20


def test_a_medium_that_died_is_the_one_that_has_to_be_blanked(
    tmp_path: Path, door: Identity
) -> None:
    """A vault that died with records on a file cannot blank memory instead."""
    chain = CertificateChain(tmp_path / "c", door)
    disk = MediumFacts("partition", "mmcblk0p4", SIZE)
    chain.append(blanking(chain, medium=disk))
    chain.append(blanking(chain, leases=(), reason="died"))
    told = documents(tmp_path / "c")
    with pytest.raises(
        UntrustedError, match=r"died with records on mmcblk0p4 .* instead"
    ):
        verify_chain(told, None, CA.certificate, Expected())


HONEST = [
    pytest.param({"leases": (), "reason": "start"}, [], id="started again"),
    pytest.param(
        {
            "leases": (),
            "reason": "new-medium",
            "medium": MediumFacts("memory", "locked memory", SIZE),
        },
        [],
        id="a start with another medium",
    ),
    pytest.param(
        {
            "leases": (),
            "reason": "start",
            "surroundings": replace(AROUND, boot="2" * 36, utc_ms=5),
        },
        ["the clock was behind the certificate before"],
        id="a reboot that lost the clock",
    ),
    pytest.param(
        {"surroundings": replace(AROUND, swap_bytes=2 << 30)},
        ["swap was on"],
        id="swap",
    ),
    pytest.param(
        {"surroundings": replace(AROUND, core_dumps="to |/usr/bin/x")},
        ["a process that crashed would have been written to |/usr/bin/x"],
        id="core dumps",
    ),
    pytest.param(
        {"surroundings": replace(AROUND, journal="persistent")},
        ["the journal is kept on a disk"],
        id="a journal that lasts",
    ),
]


@pytest.mark.parametrize(("third", "doubts"), HONEST)
def test_what_is_honest_is_verified_and_may_lower_the_verdict(
    tmp_path: Path, door: Identity, third: Body, doubts: list[str]
) -> None:
    told = chain_of(tmp_path / "c", door, **third)
    chain = verify_chain(told, None, CA.certificate, Expected("door-7"))
    found = reservations(chain)
    assert len(found) == len(doubts)
    for words, said in zip(doubts, found, strict=True):
        assert said.startswith(words) and said.endswith("(certificate 3)")


def test_a_crash_that_lost_the_clock_says_what_it_knows(
    tmp_path: Path, door: Identity
) -> None:
    told = chain_of(tmp_path / "c", door)
    lost = {**DIED, "leases__0__opened_ms": LATER - 60_000}
    back = put(**lost, boot="3" * 36, time__utc_ms=UTC_MS - DAY_MS)
    assert verify_chain(lies(told, door, back), None, CA.certificate, Expected())


def test_a_crash_that_left_no_readable_policy_says_what_it_knows(
    tmp_path: Path, door: Identity
) -> None:
    told = lies(chain_of(tmp_path / "c", door), door, put(**DIED, policy=None))
    body, _ = canonical.split(told[-1][1])
    body["leases"][0]["opened_ms"] = body["leases"][0]["closed_ms"]
    again = [*told[:-1], (told[-1][0], canonical.seal(body, door.key))]
    assert verify_chain(again, None, CA.certificate, Expected())


def test_a_clock_that_is_set_right_for_the_first_time_may_go_back(
    tmp_path: Path, door: Identity
) -> None:
    chain = CertificateChain(tmp_path / "c", door)
    ahead = replace(AROUND, utc_ms=UTC_MS + DAY_MS)
    chain.append(blanking(chain, leases=(), surroundings=ahead, reason="start"))
    right = replace(AROUND, utc_ms=UTC_MS, time_source=SYNCHRONISED)
    chain.append(blanking(chain, leases=(), surroundings=right, reason="ordered"))
    found = verify_chain(documents(tmp_path / "c"), None, CA.certificate, Expected())
    assert "clock was behind" in reservations(found)[0]


def test_the_verifiers_bounds_are_the_products() -> None:
    assert document.CONSENT_SECONDS_CEILING * 1000 == contradictions.LONGEST_LEASE_MS
    assert document.CONSENT_CROPS_CEILING == contradictions.MOST_CROPS
    side = (crops.SIDE_LEAST, crops.SIDE_MOST)
    sealed = [each * each * crops.CHANNELS + 28 for each in side]
    assert sealed == [contradictions.CROP_LEAST, contradictions.CROP_MOST]


# Who signed.


def signed_by(
    folder: Path, name: str, *extensions: x509.ExtensionType
) -> list[Document]:
    """A chain of one, whose signer's certificate says what ``extensions`` say."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "device CA")]),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
        key.public_key(),
        x509.random_serial_number(),
        BEGIN,
        BEGIN + datetime.timedelta(days=3650),
    )
    for each in extensions:
        builder = builder.add_extension(each, critical=True)
    device = Identity(name, builder.sign(CA.key, hashes.SHA256()), key)
    chain = CertificateChain(folder, device)
    chain.append(blanking(chain))
    return documents(folder)


def usage(**allowed: bool) -> x509.KeyUsage:
    every = (
        "digital_signature", "content_commitment", "key_encipherment",
        "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign",
        "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{each: allowed.get(each, False) for each in every})


@pytest.mark.parametrize(
    ("extensions", "words"),
    [
        pytest.param(
            [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])],
            "is not a device's: it is for a server, such as a broker",
            id="a broker",
        ),
        pytest.param(
            [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])],
            "it is for signing code",
            id="who signs code",
        ),
        pytest.param(
            [x509.BasicConstraints(ca=True, path_length=None)],
            "a CA signed it, and no device",
            id="a CA",
        ),
        pytest.param([usage(key_agreement=True)], "not for signing", id="a 9D key"),
    ],
)
def test_who_is_no_device_signs_no_certificate(
    tmp_path: Path, extensions: list[x509.ExtensionType], words: str
) -> None:
    told = signed_by(tmp_path / "c", "door-7", *extensions)
    with pytest.raises(UntrustedError, match=words):
        verify_chain(told, None, CA.certificate, Expected("door-7"))
    client = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    honest = signed_by(tmp_path / "d", "door-7", client, usage(digital_signature=True))
    assert verify_chain(honest, None, CA.certificate, Expected("door-7"))


def test_a_ca_that_is_none_certifies_no_device(tmp_path: Path, door: Identity) -> None:
    told = chain_of(tmp_path / "c", door)
    with pytest.raises(UntrustedError, match="device CA may not sign others"):
        verify_chain(told, None, door.certificate, Expected("door-7"))


def test_a_certificate_of_tomorrow_is_refused_by_todays_inspector(
    tmp_path: Path, door: Identity
) -> None:
    told = chain_of(tmp_path / "c", door)
    now = datetime.datetime.fromtimestamp(UTC_MS / 1000, datetime.UTC)
    early = Expected(now=now - datetime.timedelta(days=2))
    with pytest.raises(UntrustedError, match="2026-06-01 00:00 UTC, which is yet to"):
        verify_chain(told, None, CA.certificate, early)
    assert verify_chain(told, None, CA.certificate, Expected(now=now))
    newest = datetime.datetime.fromtimestamp(LATER / 1000, datetime.UTC)
    edge = Expected(now=newest - AHEAD)  # an inspector's clock may be so much behind
    assert verify_chain(told, None, CA.certificate, edge)
    with pytest.raises(UntrustedError, match=r"0000000003\.json: .* which is yet to"):
        verify_chain(told, None, CA.certificate, replace(edge, now=edge.now - SECOND))


def test_a_head_that_is_older_than_what_it_names_is_refused(
    tmp_path: Path, door: Identity
) -> None:
    told = chain_of(tmp_path / "c", door)
    body, _ = canonical.split((tmp_path / "c" / "head.json").read_bytes())
    body["utc_ms"] -= 1
    head = "head.json", canonical.seal(body, door.key)
    with pytest.raises(UntrustedError, match=r"older than 0000000003\.json"):
        verify_chain(told, head, CA.certificate, Expected())


# By the fleet's own CA, as a person does it.


def fleet_chain(folder: Path) -> tuple[Authority, Identity, datetime.datetime]:
    now = datetime.datetime.now(datetime.UTC)
    fleet = Authority.create("fleet", now)
    issued = fleet.issue_device("porto-1", "door-7", now)
    device = Identity("door-7", issued.certificate, issued.key)
    chain = CertificateChain(folder, device)
    at = replace(AROUND, utc_ms=int(now.timestamp() * 1000))
    chain.append(blanking(chain, leases=(), reason="start", surroundings=at))
    return fleet, device, now


def test_a_device_that_was_taken_back_is_found_with_the_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet, device, now = fleet_chain(tmp_path / "c")
    ca = fleet.write_root(tmp_path)
    empty, full = tmp_path / "empty.crl", tmp_path / "full.crl"
    empty.write_bytes(fleet.revocation_list(now))
    fleet.revoke(device.certificate, now)
    full.write_bytes(fleet.revocation_list(now))
    words = ["verify", str(tmp_path / "c"), "--ca", str(ca)]
    assert main.run(words) == 0
    assert main.run([*words, "--crl", str(empty)]) == 0
    capsys.readouterr()
    assert main.run([*words, "--crl", str(full)]) == 3
    said = capsys.readouterr().err
    assert f"taken back on {now:%Y-%m-%d}" in said and said.count("\n") == 1


@pytest.mark.parametrize("name", ["door-7", "store"])
def test_a_reader_signs_no_certificate_whatever_its_name(
    tmp_path: Path, name: str
) -> None:
    now = datetime.datetime.now(datetime.UTC)
    fleet = Authority.create("fleet", now)
    issued = fleet.issue_reader(name, now)
    chain = CertificateChain(tmp_path, Identity(name, issued.certificate, issued.key))
    at = replace(AROUND, utc_ms=int(now.timestamp() * 1000))
    chain.append(blanking(chain, leases=(), reason="start", surroundings=at))
    with pytest.raises(UntrustedError, match=f"but device reader:{name} signed it"):
        verify_chain(documents(tmp_path), None, fleet.certificate, Expected(name))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param("other", "not signed by the device CA", id="another CA's list"),
        pytest.param("late", "ended on .* fetch a newer one", id="an old list"),
        pytest.param("cut", "not readable as X.509", id="a list that is cut short"),
    ],
)
def test_a_list_that_cannot_be_trusted_is_no_list(change: str, words: str) -> None:
    now = datetime.datetime.now(datetime.UTC)
    fleet = Authority.create("fleet", now)
    signer = Authority.create("fleet", now) if change == "other" else fleet
    data = signer.revocation_list(now)
    late = 86400 * 40 if change == "late" else 0
    with pytest.raises(UntrustedError, match=words):
        revoked_by(
            data[:-80] if change == "cut" else data,
            fleet.certificate,
            now.timestamp() + late,
            "device CA",
        )


def test_the_surroundings_are_shown_and_lower_the_verdict(
    tmp_path: Path, door: Identity, capsys: pytest.CaptureFixture[str]
) -> None:
    around = replace(
        AROUND, swap_bytes=104_857_600, core_dumps="to core", journal="persistent"
    )
    chain = CertificateChain(tmp_path / "c", door)
    chain.append(blanking(chain))
    for _ in range(2):
        chain.append(blanking(chain, surroundings=around))
    ca = str(CA.write(tmp_path / "ca.pem"))
    assert main.run(["verify", str(tmp_path / "c"), "--ca", ca]) == 1
    said = capsys.readouterr().out
    assert "around it: no swap; core dumps off; journal none" in said
    assert "swap of 104857600 bytes; core dumps to core; journal persistent" in said
    verdict = said.partition("verified: ")[2].splitlines()
    assert verdict[0] == "certificates 1 to 3 of device door-7"
    assert verdict[1].startswith("with reservations") and len(verdict) == 5
    assert "swap was on: memory may have been written" in verdict[2]
    assert verdict[2].endswith("(certificate 2 to 3, 2 in all)")
