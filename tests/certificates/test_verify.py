"""An inspector checks a chain with the device CA alone; every attack is refused."""

import ast
import inspect
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from devices import (
    AROUND,
    LEASE,
    SIZE,
    UTC_MS,
    DeviceCA,
    blanking,
    dirty_digest,
    key_of,
)

from doorsill.certificates import claims, contradictions, examine, signer, verify
from doorsill.certificates.claims import blank_digest
from doorsill.certificates.examine import Document
from doorsill.certificates.verify import Expected, verify_chain
from doorsill.cli import main
from doorsill.consent import reasons
from doorsill.device.identity import Identity
from doorsill.documents import canonical, strict_x509
from doorsill.drivers.media.medium import MediumFacts
from doorsill.errors import UntrustedError
from doorsill.vault.chain import Blanking, CertificateChain

CA = DeviceCA()
OTHER_CA = DeviceCA()
WHOLE = Expected()


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return CA.device(tmp_path_factory.mktemp("door") / "id", "door-7")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return CA.device(tmp_path_factory.mktemp("other") / "id", "door-8")


@pytest.fixture
def folder(tmp_path: Path, door: Identity) -> Path:
    return write_chain(tmp_path / "c", door)


def write_chain(folder: Path, device: Identity, length: int = 4) -> Path:
    chain = CertificateChain(folder, device)
    for _ in range(length):
        chain.append(blanking(chain))
    return folder


def read(folder: Path) -> list[Document]:
    return [(p.name, p.read_bytes()) for p in sorted(folder.glob("0*.json"))]


def head(folder: Path) -> Document:
    return "head.json", (folder / "head.json").read_bytes()


def body_of(document: Document) -> dict[str, Any]:
    return canonical.split(document[1])[0]


def resign(
    document: Document, signer: Identity, change: Callable[[dict[str, Any]], object]
) -> Document:
    body = body_of(document)
    change(body)
    return document[0], canonical.seal(body, signer.key)


def test_an_honest_chain_is_verified(folder: Path) -> None:
    chain = verify_chain(read(folder), head(folder), CA.certificate, WHOLE)
    assert [each.counter for each in chain] == [1, 2, 3, 4]
    again = Expected("door-7", whole=True, at_least=4)
    assert verify_chain(read(folder), head(folder), CA.certificate, again) == chain


def test_one_certificate_from_the_middle_is_verified(folder: Path) -> None:
    middle = Expected(whole=False)
    assert verify_chain(read(folder)[2:3], None, CA.certificate, middle)


def test_the_verifier_stands_alone() -> None:
    """It imports no vault, gate, medium, token or device code."""
    allowed = {
        "doorsill",
        "doorsill.certificates",
        "doorsill.certificates.contradictions",
        "doorsill.certificates.examine",
        "doorsill.certificates.signer",
        "doorsill.consent.reasons",
        "doorsill.documents",
        "doorsill.documents.canonical",
        "doorsill.documents.fields",
        "doorsill.documents.strict_x509",
        "doorsill.errors",
    }
    for module in (
        signer,
        verify,
        examine,
        contradictions,
        claims,
        canonical,
        reasons,
        strict_x509,
    ):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.ImportFrom) and str(node.module)[:8] == "doorsill":
                assert node.module in allowed
                if node.module == "doorsill.consent":
                    assert [name.name for name in node.names] == ["claims"]


def test_every_altered_byte_is_refused(folder: Path) -> None:
    documents = read(folder)
    name, data = documents[1]
    for at in range(0, len(data), 3):
        altered = bytearray(data)
        altered[at] ^= 1
        with pytest.raises(UntrustedError, match=name):
            verify_chain(
                [documents[0], (name, bytes(altered))], None, CA.certificate, WHOLE
            )


ORDER = [
    ("reordered", [0, 2, 1, 3], "certificate 2 is missing"),
    ("backwards", [3, 2, 1, 0], "begins at certificate 4; certificates 1 to 3 are m"),
    ("one missing", [0, 1, 3], "certificate 3 is missing"),
    ("begin missing", [1, 2, 3], "begins at certificate 2; certificate 1 is missing"),
    ("one twice", [0, 1, 1, 2, 3], "counter goes back from 2 to 2"),
    ("counter reset", [0, 1, 2, 3, 0], "counter goes back from 4 to 1"),
    ("end cut off", [0, 1], "cut off after certificate 2; it went to 4"),
    ("all missing", [], "no certificate"),
]


@pytest.mark.parametrize(
    ("order", "message"), [o[1:] for o in ORDER], ids=[o[0] for o in ORDER]
)
def test_an_incomplete_or_reordered_chain_is_refused(
    folder: Path, order: list[int], message: str
) -> None:
    documents = read(folder)
    with pytest.raises(UntrustedError, match=message):
        verify_chain([documents[n] for n in order], head(folder), CA.certificate, WHOLE)


def change(**changes: Any) -> Callable[[dict[str, Any]], None]:
    """Set ``section__option`` of a body; ``...`` removes it."""

    def act(body: dict[str, Any]) -> None:
        for name, value in changes.items():
            *path, last = name.split("__")
            table: Any = body
            for step in path:
                table = table[int(step) if step.isdecimal() else step]
            if value is ...:
                del table[last]
            else:
                table[last] = value

    return act


# What even the rightful device cannot sign and get past the verifier.
CLAIMS = [
    ("unknown method", change(methods=["overwritten", "wished-away"]), "unknown"),
    (
        "not overwritten",
        change(methods=["key-destroyed"]),
        "does not say that the medium was overwritten",
    ),
    ("no method", change(methods=[]), "does not say"),
    (
        "key kept",
        change(methods=["overwritten"], key__destroyed=False),
        "existed and was not destroyed",
    ),
    ("key and method differ", change(methods=["overwritten"]), "do not say the same"),
    (
        "discarded memory",
        change(methods=["key-destroyed", "overwritten", "discarded"]),
        "a memory medium cannot be discarded",
    ),
    (
        "discarded file",
        change(
            medium__kind="file", methods=["key-destroyed", "discarded", "overwritten"]
        ),
        "gives its blocks back before",
    ),
    ("a file in the words of a disk", change(medium__kind="file"), "words of its own"),
    ("claims Purge", change(nist_class="Purge"), "claims 'Purge'"),
    ("own words", change(nist_words="Physically blank."), "words of its own"),
    ("limits left out", change(limits=[]), "does not state the limits"),
    ("says it was not blank", change(read_back__blank=False), "was not blank"),
    ("only a part read", change(read_back__blocks=1), "not all of it"),
    ("forged read-back", change(read_back__sha256="00" * 32), "forged, or not blank"),
    (
        "read-back of a smaller medium",
        change(read_back__sha256=blank_digest(b"\0" * 32, SIZE - 1)),
        "forged, or not blank",
    ),
    ("read-back seed of its own", change(read_back__seed="11" * 32), "another place"),
    ("unknown field", change(note="trust me"), "note is not an option"),
    ("field missing", change(leases=..., boot=...), "boot is missing"),
    ("unknown reason", change(reason="because"), "certificate.reason"),
    ("unknown medium", change(medium__kind="cloud"), "certificate.medium.kind"),
    ("counter 0", change(counter=0), "counter = 0 is below the minimum of 1"),
    ("counter a text", change(counter="1"), "must be a whole number"),
    ("lease ends before", change(leases__0__closed_ms=1), "below the minimum"),
    ("medium of nothing", change(medium__size=0), "below the minimum of 1"),
    ("other format", change(format="doorsill-blanking/9"), "certificate.format"),
    (
        "too early, by a good clock",
        change(time__utc_ms=0, time__source=claims.SYNCHRONISED),
        "not in date on 1970-01-01",
    ),
    ("too late", change(time__utc_ms=4 * 10**12), "not in date on 2096"),
    ("time from elsewhere", change(time__source="a star"), "certificate.time.source"),
    ("another device's name", change(device="door-8"), "but device door-7 signed it"),
    ("no device certificate", change(device_certificate=...), "no certificate of a"),
    ("garbage certificate", change(device_certificate="AAAA"), "no certificate of a"),
]


@pytest.mark.parametrize(
    ("act", "message"), [c[1:] for c in CLAIMS], ids=[c[0] for c in CLAIMS]
)
def test_a_claim_that_cannot_be_is_refused_though_the_device_signed_it(
    folder: Path,
    door: Identity,
    act: Callable[[dict[str, Any]], None],
    message: str,
) -> None:
    first = read(folder)[0]
    with pytest.raises(UntrustedError, match=message) as caught:
        verify_chain([resign(first, door, act)], None, CA.certificate, WHOLE)
    assert str(caught.value).startswith(first[0])
    assert "\n" not in str(caught.value)


def test_an_honest_device_that_is_not_blank_is_refused(
    tmp_path: Path, door: Identity
) -> None:
    chain = CertificateChain(tmp_path / "c", door)
    dirty = dirty_digest(chain, key_of(chain))
    chain.append(blanking(chain, read_back_sha256=dirty, blank=False))
    with pytest.raises(UntrustedError, match="itself says that the medium was not"):
        verify_chain(read(tmp_path / "c"), None, CA.certificate, WHOLE)


SRAM = MediumFacts("sram", "serial SRAM", SIZE)


def silent(chain: CertificateChain, **changes: Any) -> Blanking:
    """A memory behind the interlock whose rail went with the card."""
    found = blank_digest(chain.seed(key_of(chain)), 0)
    methods = ("key-destroyed", claims.NO_ANSWER)
    plain = blanking(chain, read_back_sha256=found, blank=False, methods=methods)
    return replace(plain, medium=SRAM, **changes)


def test_a_memory_without_power_is_said_to_be_so_and_nothing_more_is_claimed(
    tmp_path: Path, door: Identity, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = CertificateChain(tmp_path / "c", door)
    chain.append(silent(chain))
    ca = str(CA.write(tmp_path / "ca.pem"))
    assert main.run(["verify", str(tmp_path / "c"), "--ca", ca]) == 0
    said = capsys.readouterr().out
    assert "the sram did not answer: without power, not read back yet" in said
    assert said.endswith("; the medium is without power and is yet to be read back\n")
    assert "read back as blank" not in said
    chain.append(blanking(chain, leases=(), reason="power-back", medium=SRAM))
    chain.append(blanking(chain, medium=SRAM))
    assert main.run(["verify", str(tmp_path / "c"), "--ca", ca]) == 0
    assert capsys.readouterr().out.endswith("certificates 1 to 3 of device door-7\n")


def test_faces_on_a_memory_that_was_not_read_back_before_are_refused(
    tmp_path: Path, door: Identity
) -> None:
    chain = CertificateChain(tmp_path / "c", door)
    chain.append(silent(chain))
    chain.append(blanking(chain, medium=SRAM))
    words = (
        r"0000000002\.json: it was open though .* not been read back since 0+1\.json"
    )
    with pytest.raises(UntrustedError, match=words):
        verify_chain(read(tmp_path / "c"), None, CA.certificate, WHOLE)


SILENCES = [
    ("a file", change(medium__kind="file"), "keeps what it has without power"),
    ("Clear all the same", change(nist_class=claims.CLASS), "claims 'Clear'"),
    (
        "overwritten all the same",
        change(methods=["key-destroyed", "overwritten", claims.NO_ANSWER]),
        "did not answer, and yet it was overwritten",
    ),
    ("blank all the same", change(read_back__blank=True), "yet it was read back"),
    ("read all the same", change(read_back__blocks=3), "yet it was read back"),
    ("another read-back", change(read_back__sha256="00" * 32), "another place"),
    ("key kept", change(methods=[claims.NO_ANSWER]), "do not say the same"),
    (
        "key forgotten",
        change(methods=[claims.NO_ANSWER], key__destroyed=False),
        "existed and was not destroyed",
    ),
]


@pytest.mark.parametrize(
    ("act", "message"), [c[1:] for c in SILENCES], ids=[c[0] for c in SILENCES]
)
def test_silence_excuses_nothing(
    tmp_path: Path,
    door: Identity,
    act: Callable[[dict[str, Any]], None],
    message: str,
) -> None:
    chain = CertificateChain(tmp_path / "c", door)
    chain.append(silent(chain))
    forged = resign(read(tmp_path / "c")[0], door, act)
    with pytest.raises(UntrustedError, match=message):
        verify_chain([forged], None, CA.certificate, WHOLE)


def test_a_read_back_from_earlier_is_refused(tmp_path: Path, door: Identity) -> None:
    chain = CertificateChain(tmp_path / "c", door)
    earlier = blanking(chain)
    chain.append(earlier)
    chain.append(replace(earlier, leases=()))
    with pytest.raises(UntrustedError, match=r"0000000002\.json.*forged"):
        verify_chain(read(tmp_path / "c"), None, CA.certificate, WHOLE)


def test_signed_again_by_another_device_is_refused(
    folder: Path, other: Identity, tmp_path: Path
) -> None:
    documents = read(folder)
    middle = resign(documents[1], other, lambda body: None)
    with pytest.raises(UntrustedError, match="does not match"):
        verify_chain([documents[0], middle], None, CA.certificate, WHOLE)
    theirs = read(write_chain(tmp_path / "theirs", other))
    with pytest.raises(UntrustedError, match="is of device door-8"):
        verify_chain([documents[0], theirs[1]], None, CA.certificate, WHOLE)
    with pytest.raises(UntrustedError, match="of device door-8, not of door-7"):
        verify_chain(theirs, None, CA.certificate, Expected("door-7"))
    with pytest.raises(UntrustedError, match="does not match"):
        verify_chain(theirs, head(folder), CA.certificate, WHOLE)


def test_a_device_of_another_ca_is_refused(folder: Path) -> None:
    with pytest.raises(UntrustedError, match="not certified by this device CA"):
        verify_chain(read(folder), None, OTHER_CA.certificate, WHOLE)


def test_a_certificate_put_in_another_ones_place_is_refused(
    folder: Path, door: Identity
) -> None:
    """The device itself writes its history again: the chain of hashes shows it."""
    documents = read(folder)

    def fewer(body: dict[str, Any]) -> None:
        body["leases"][0]["sealed"] -= 1

    documents[1] = resign(documents[1], door, fewer)
    with pytest.raises(UntrustedError, match="another one stood there"):
        verify_chain(documents, head(folder), CA.certificate, WHOLE)
    last = resign(read(folder)[3], door, fewer)
    with pytest.raises(UntrustedError, match="another certificate 4 stood here"):
        verify_chain([*read(folder)[:3], last], head(folder), CA.certificate, WHOLE)


def test_a_chain_rolled_back_with_its_head_needs_a_number_from_elsewhere(
    tmp_path: Path, door: Identity
) -> None:
    short = write_chain(tmp_path / "short", door, 2)
    assert verify_chain(read(short), head(short), CA.certificate, WHOLE)  # its limit
    with pytest.raises(UntrustedError, match="ends at certificate 2; certificate 4"):
        verify_chain(read(short), head(short), CA.certificate, Expected(at_least=4))


def test_a_head_behind_the_chain_is_a_power_cut_not_an_attack(
    folder: Path, door: Identity
) -> None:
    old = head(folder)
    chain = CertificateChain(folder, door)
    chain.append(blanking(chain))
    assert len(verify_chain(read(folder), old, CA.certificate, WHOLE)) == 5


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (change(format="other"), "not the head of a chain"),
        (change(sha256="00" * 32), "another certificate 4 stood here"),
        (change(device="door-8"), "head of door-8's chain"),
        (change(counter=None), "head.counter = None; it must be a whole number"),
        (change(counter=9), "cut off after certificate 4; it went to 9"),
        (change(sha256=...), "head.sha256 is missing"),
        (change(more=1), "head.more is not an option"),
    ],
)
def test_a_wrong_head_is_refused(
    folder: Path, door: Identity, act: Callable[[dict[str, Any]], None], message: str
) -> None:
    wrong = resign(head(folder), door, act)
    with pytest.raises(UntrustedError, match=message):
        verify_chain(read(folder), wrong, CA.certificate, WHOLE)


@pytest.mark.parametrize(
    ("later", "good"),
    [
        pytest.param({"sectors_written": {"mmcblk0": 7}}, False, id="fewer sectors"),
        pytest.param({"sectors_written": {"mmcblk0": 9}}, True, id="more sectors"),
        pytest.param(
            {"sectors_written": {"mmcblk0": 0}, "boot": "2" * 36}, True, id="rebooted"
        ),
    ],
)
def test_sector_counters_never_go_back_within_a_boot(
    tmp_path: Path, door: Identity, later: dict[str, Any], good: bool
) -> None:
    chain = CertificateChain(tmp_path / "c", door)
    chain.append(blanking(chain))
    chain.append(blanking(chain, surroundings=replace(AROUND, **later)))
    documents = read(tmp_path / "c")
    if good:
        assert verify_chain(documents, None, CA.certificate, WHOLE)
    else:
        with pytest.raises(UntrustedError, match="go back from 8 to 7"):
            verify_chain(documents, None, CA.certificate, WHOLE)


def test_a_start_before_the_clock_was_set_is_verified(
    tmp_path: Path, door: Identity
) -> None:
    chain = CertificateChain(tmp_path / "c", door)
    early = replace(AROUND, utc_ms=0)
    chain.append(blanking(chain, surroundings=early, leases=()))
    assert verify_chain(read(tmp_path / "c"), None, CA.certificate, WHOLE)


def test_a_boot_without_key_or_leases_is_verified(
    tmp_path: Path, door: Identity
) -> None:
    chain = CertificateChain(tmp_path / "c", door)
    chain.append(
        blanking(
            chain,
            key_id=None,
            methods=("discarded", "overwritten"),
            medium=MediumFacts("partition", "mmcblk0p4", SIZE),
            leases=(),
            policy=None,
            reason="start",
        )
    )
    assert verify_chain(read(tmp_path / "c"), None, CA.certificate, WHOLE)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main.run(["verify", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_doorsill_verify_tells_and_says_what_it_does_not_prove(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ca = str(CA.write(tmp_path / "ca.pem"))
    code, said, _ = run(capsys, str(folder), "--ca", ca, "--device", "door-7")
    assert code == 0 and said.endswith("certificates 1 to 4 of device door-7\n")
    assert "device door-7 claims: the card was pulled" in said
    assert "does not prove" in said and "60.0 s, 7 crops sealed" in said
    code, said, _ = run(capsys, str(folder / "0000000003.json"), "--ca", ca, "--quiet")
    assert (code, said) == (0, "verified: certificate 3 of device door-7\n")


def test_doorsill_verify_refuses_in_one_sentence(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ca = str(CA.write(tmp_path / "ca.pem"))
    cases = [
        (folder, ["--at-least", "9"], 3, "certificate 9 is known to exist"),
        (folder, ["--device", "door-9"], 3, "not of door-9"),
        (tmp_path / "none", [], 2, "cannot read"),
        (tmp_path, [], 2, "holds no certificate"),
        (tmp_path / "ca.pem", [], 3, "not canonical JSON"),
    ]
    (tmp_path / "ca.json").unlink(missing_ok=True)
    for path, more, wanted, message in cases:
        code, _, error = run(capsys, str(path), "--ca", ca, *more)
        assert (code, error.count("\n")) == (wanted, 1), error
        assert message in error
    shutil.copytree(folder, tmp_path / "headless")
    (tmp_path / "headless" / "head.json").unlink()
    code, _, error = run(capsys, str(tmp_path / "headless"), "--ca", ca)
    assert code == 2 and "head.json is missing" in error


def test_a_pretty_printed_certificate_is_refused_as_altered(folder: Path) -> None:
    name, data = read(folder)[0]
    pretty = json.dumps(json.loads(data), indent=1).encode()
    with pytest.raises(UntrustedError, match="not canonical JSON"):
        verify_chain([(name, pretty)], None, CA.certificate, WHOLE)


def test_a_lease_says_when_who_why_and_how_much(folder: Path) -> None:
    lease = body_of(read(folder)[0])["leases"][0]
    assert (lease["opened_ms"], lease["closed_ms"]) == (UTC_MS - 60_000, UTC_MS)
    assert lease["reason"] == LEASE.reason and lease["sealed"] == 7
