"""The fleet's own certificates last 398 days, and the fleet longer."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from fleets import SITE, fleet_world
from limits import END_S, wait_until

from doorsill.documents import pem
from doorsill_fleet.ca.authority import Authority, pem_of
from doorsill_fleet.cli.main import run
from doorsill_fleet.enrolment import serving
from doorsill_fleet.enrolment.serving import server
from doorsill_fleet.office import own_certificates
from doorsill_fleet.office.chain import Chain, Places, complete, make_chain, own

NOW = datetime.now(UTC)
NAMES = {"server", "broker", "reader-store", "reader-store-2", "office"}


def made(folder: Path, ago: timedelta = timedelta()) -> tuple[Chain, Authority]:
    """A chain that was made so long ago, and the CA that makes certificates."""
    places = Places(("localhost", "192.0.2.7"), 8443, "localhost", 8883)
    chain = make_chain(folder / "fleet", places, NOW - ago, lambda _: b"")
    return chain, Authority(chain.issuing, pem.read_key(chain.folder / "issuing.key"))


def certificates(chain: Chain) -> dict[str, x509.Certificate]:
    return {each.name: pem.read_certificate(each.path) for each in own(chain)}


def test_a_month_before_its_end_each_is_made_again_with_its_key_and_names(
    tmp_path: Path,
) -> None:
    chain, issuing = made(tmp_path)
    before = certificates(chain)
    assert before.keys() == NAMES
    assert complete(chain, issuing, NOW + timedelta(days=300)) == []
    late = NOW + timedelta(days=370)
    assert {each.stem for each in complete(chain, issuing, late)} == NAMES
    for name, after in certificates(chain).items():
        old = before[name]
        assert after.not_valid_after_utc > late + timedelta(days=390)
        assert (after.public_key(), after.subject) == (old.public_key(), old.subject)
        kinds = [{each.oid: each.value for each in x.extensions} for x in (old, after)]
        assert kinds[0] == kinds[1]
        after.verify_directly_issued_by(chain.issuing)
    for each in own(chain):
        assert len(pem.read_chain(each.path)) == 2  # the CA's is behind it
    assert complete(chain, issuing, late) == []


@pytest.mark.parametrize("step", ["write_private", "put"])
def test_a_power_cut_between_certificate_and_key_leaves_none_without_its_ca(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Of a pair that is new, and of one whose key is gone."""
    chain, issuing = made(tmp_path)
    for each in own(chain):
        for end in (".key", ".pem") if each.name == "office" else (".key",):
            each.path.with_suffix(end).unlink()
        with monkeypatch.context() as cut:
            cut.setattr(own_certificates, step, lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                complete(chain, issuing, NOW)
        assert each.path in complete(chain, issuing, NOW)
        certificate, key = each.path, each.path.with_suffix(".key")
        assert len(pem.read_chain(certificate)) == 2
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)


def test_one_that_a_power_cut_left_without_its_key_is_made_whole(
    tmp_path: Path,
) -> None:
    chain, issuing = made(tmp_path)
    (chain.folder / "office.key").unlink()
    assert [each.stem for each in complete(chain, issuing, NOW)] == ["office"]
    key = pem.read_key(chain.folder / "office.key")
    assert certificates(chain)["office"].public_key() == key.public_key()


def test_check_names_each_that_ends_soon(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chain, _ = made(tmp_path, timedelta(days=380))
    words = ["broker", "check", "--folder", str(chain.folder)]
    assert run(words) == 1
    said = capsys.readouterr().out
    assert all(f"{name}.pem ends" in said for name in NAMES)
    assert run(["broker", "write", "--folder", str(chain.folder)]) == 0
    assert run(words) == 0


def test_a_shops_own_broker_gets_new_ones_with_the_next_bridge(tmp_path: Path) -> None:
    out = tmp_path / "shop"
    with fleet_world(tmp_path) as fleet:
        own_folder = ["--folder", str(fleet.chain.folder), "--out", str(out)]
        words = ["broker", "bridge", SITE, "--host", "localhost", *own_folder]
        assert run(words) == 0
        paths = [out / f"{each}.pem" for each in ("broker", "bridge")]
        young = [each.read_bytes() for each in paths]
        assert run(words) == 0
        assert [each.read_bytes() for each in paths] == young
        long_ago, issuing = NOW - timedelta(days=380), fleet.authority
        for each in paths:
            common = pem.read_certificate(each).subject.rfc4514_string()[3:]
            hosts = ["localhost"] if each.stem == "broker" else []
            key = pem.read_key(each.with_suffix(".key")).public_key()
            old = issuing.certify_own(key, common, hosts, long_ago)
            each.write_bytes(pem_of(old))
        assert run(words) == 0
        for each in paths:
            found = pem.read_certificate(each)
            assert found.not_valid_after_utc > NOW + timedelta(days=390)


def test_a_server_that_runs_for_years_shows_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old one is in memory: without a word it would be shown until a restart."""
    monkeypatch.setattr(serving, "UPKEEP_S", 0.2)
    with fleet_world(tmp_path) as fleet:
        chain, due = fleet.chain, threading.Event()
        age(chain, fleet.authority)

        def upkeep() -> None:
            if due.is_set():
                complete(chain, fleet.authority, NOW)

        listening = server(None, chain.folder, "127.0.0.1", 0, upkeep)  # type: ignore[arg-type]
        port = listening.gate.getsockname()[1]
        thread = threading.Thread(target=listening.run, daemon=True)
        thread.start()
        try:
            wait_until(lambda: listening.started)
            first = shown(chain, port)
            assert shown(chain, port) == first
            due.set()
            wait_until(lambda: shown(chain, port) != first)
        finally:
            listening.should_exit = True
            thread.join(END_S)


def test_serve_renews_what_is_old_before_it_begins(tmp_path: Path) -> None:
    with fleet_world(tmp_path) as fleet:
        age(fleet.chain, fleet.authority)
        log = tmp_path / "log"
        with fleet.serving_apart(log):
            assert fleet.ask("GET", "/.well-known/est/cacerts")[0] == 200
        assert log.read_text().count("renewed ") == len(NAMES)
        for certificate in certificates(fleet.chain).values():
            assert certificate.not_valid_after_utc > NOW + timedelta(days=390)


def age(chain: Chain, issuing: Authority) -> None:
    """As if each had been made long ago: it is good for some days more."""
    old = NOW - timedelta(days=380)
    for each in own(chain):
        key = pem.read_key(each.folder / f"{each.name}.key").public_key()
        found = issuing.certify_own(key, each.common, each.hosts, old)
        each.path.write_bytes(pem_of(found))


def shown(chain: Chain, port: int) -> int:
    """The number of the certificate with which the server answers."""
    context = ssl.create_default_context(cafile=str(chain.folder / "ca.pem"))
    with (
        socket.create_connection(("127.0.0.1", port), timeout=END_S) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as spoken,
    ):
        found = spoken.getpeercert(binary_form=True)
    assert found is not None
    return x509.load_der_x509_certificate(found).serial_number
