"""What is asked of the fleet's server: who gets a certificate, and who does not."""

from __future__ import annotations

import base64
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fleets import (
    EST,
    SITE,
    VALID,
    FleetWorld,
    fleet_world,
    new_key,
    request,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from limits import END_S

from doorsill.documents import proof
from doorsill.documents.pem import fingerprint
from doorsill.enrolment.fleet_server import read_certificates
from doorsill.errors import ConfigError, DoorsillError, UntrustedError
from doorsill_fleet.enrolment import limits
from doorsill_fleet.enrolment.limits import BODY_BYTES, REFUSALS, Refusals
from doorsill_fleet.registry import devices
from doorsill_fleet.registry.devices import HandedOut
from doorsill_fleet.registry.register import transaction

NOW = datetime.now(UTC)
ONE_KEY: dict[str, bytes] = {}  # the request in which bits are turned


class Unbounded(Refusals):
    """All tests come from one address."""

    def wait_s(self, address: str, now: float) -> float:
        return 0.0


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetWorld]:
    """One server for all that it refuses, and goes on after."""
    with (
        fleet_world(tmp_path_factory.mktemp("fleet")) as world,
        world.serving() as desk,
    ):
        desk.refusals = Unbounded()  # the bound has a test of its own
        yield world


@pytest.fixture(scope="module")
def one(fleet: FleetWorld) -> HandedOut:
    made = fleet.add()[0]
    ONE_KEY[made.serial] = base64.b64decode(_good(made))
    return made


@pytest.fixture
def own(tmp_path: Path) -> Iterator[FleetWorld]:
    with fleet_world(tmp_path) as world:
        yield world


def certificate_of(said: str) -> x509.Certificate:
    return read_certificates(said.encode())[0]


def test_a_voucher_and_a_request_give_the_certificate_that_the_register_says(
    fleet: FleetWorld,
) -> None:
    made, key = fleet.add()[0], new_key()
    status, said = fleet.enrol(made.serial, made.secret, request(made.serial, key))
    assert status == 200
    found = certificate_of(said)
    assert found.subject.rfc4514_string() == f"CN={SITE}_{made.device}"
    assert found.public_key() == key.public_key()
    found.verify_directly_issued_by(fleet.chain.issuing)
    fleet.chain.issuing.verify_directly_issued_by(fleet.chain.root)


def test_the_answer_that_was_lost_is_given_again_to_the_same_key(
    fleet: FleetWorld,
) -> None:
    made = fleet.add()[0]
    body = request(made.serial, new_key())
    first, second = (fleet.enrol(made.serial, made.secret, body) for _ in "ab")
    assert first[0] == second[0] == 200
    assert certificate_of(first[1]) == certificate_of(second[1])


Attack = Callable[[FleetWorld, HandedOut], tuple[int, str]]


def _by(
    body: Callable[[HandedOut], bytes], secret: str = "", serial: str = ""
) -> Attack:
    def attack(fleet: FleetWorld, made: HandedOut) -> tuple[int, str]:
        return fleet.enrol(serial or made.serial, secret or made.secret, body(made))

    return attack


def _good(made: HandedOut) -> bytes:
    return request(made.serial, new_key())


def _used(fleet: FleetWorld, made: HandedOut) -> tuple[int, str]:
    assert fleet.enrol(made.serial, made.secret, _good(made))[0] == 200
    return fleet.enrol(made.serial, made.secret, _good(made))


def _replaced(fleet: FleetWorld, made: HandedOut) -> tuple[int, str]:
    with transaction(fleet.register) as session:
        devices.replace(session, made.serial, NOW, VALID)
    return fleet.enrol(made.serial, made.secret, _good(made))


def _expired(fleet: FleetWorld, made: HandedOut) -> tuple[int, str]:
    with transaction(fleet.register) as session:
        device = devices.require_device(session, made.serial)
        old = devices.hand_out(session, device, NOW - 2 * VALID, VALID)
    return fleet.enrol(made.serial, old.secret, _good(made))


def _revoked(fleet: FleetWorld, made: HandedOut) -> tuple[int, str]:
    with transaction(fleet.register) as session:
        devices.revoke(session, made.serial, NOW, "stolen")
    return fleet.enrol(made.serial, made.secret, _good(made))


def _of_another(fleet: FleetWorld, made: HandedOut) -> tuple[int, str]:
    other = fleet.add()[0]
    return fleet.enrol(other.serial, made.secret, request(other.serial, new_key()))


def _altered(made: HandedOut) -> bytes:
    der = bytearray(base64.b64decode(_good(made)))
    der[-1] ^= 1
    return base64.encodebytes(der)


def _same_key(fleet: FleetWorld, made: HandedOut) -> tuple[int, str]:
    key, other = new_key(), fleet.add()[0]
    assert fleet.enrol(made.serial, made.secret, request(made.serial, key))[0] == 200
    return fleet.enrol(other.serial, other.secret, request(other.serial, key))


def _plain(headers: dict[str, str], path: str = "simpleenroll") -> Attack:
    def attack(fleet: FleetWorld, made: HandedOut) -> tuple[int, str]:
        status, said = fleet.ask("POST", f"{EST}/{path}", _good(made), headers)
        return status, said.decode()

    return attack


ATTACKS = [
    pytest.param(_used, 403, "used on .* by another key", id="a voucher used twice"),
    pytest.param(_replaced, 403, "unknown", id="a voucher that was replaced"),
    pytest.param(_expired, 403, "expired on", id="a voucher that expired"),
    pytest.param(_revoked, 403, "unknown", id="a device that was revoked"),
    pytest.param(_of_another, 403, "not for 'ds-", id="another device's voucher"),
    pytest.param(
        _by(_good, secret="0" * 16), 403, "unknown", id="a voucher that was guessed"
    ),
    pytest.param(
        _by(lambda made: request(f"{SITE}_cam-01", new_key())),
        403, "the request is for 'shop-1_cam-01'", id="somebody else's name",
    ),
    pytest.param(
        _by(lambda made: request("shop-2_cam-01", new_key())),
        403, "the request is for 'shop-2_cam-01'", id="another site",
    ),
    pytest.param(
        _by(lambda made: request("reader:store", new_key())),
        403, "the request is for 'reader:store'", id="a reader's name",
    ),
    pytest.param(
        _by(lambda made: request(
            made.serial, new_key(), x509.BasicConstraints(True, None))),
        403, "no extensions", id="a CA's rights",
    ),
    pytest.param(
        _by(lambda made: request(
            made.serial, rsa.generate_private_key(65537, 2048))),
        403, "only P-256", id="an RSA key",
    ),
    pytest.param(
        _by(lambda made: request(
            made.serial, ec.generate_private_key(ec.SECP192R1()))),
        403, "only P-256", id="a weak curve",
    ),
    pytest.param(
        _by(lambda made: request(
            made.serial, ec.generate_private_key(ec.SECP384R1()))),
        403, "only P-256", id="another curve",
    ),
    pytest.param(_by(_altered), 403, "not signed by its own key", id="somebody's key"),
    pytest.param(_same_key, 403, "has a certificate already", id="one key for two"),
    pytest.param(_by(lambda _: b""), 400, "no PKCS#10", id="nothing"),
    pytest.param(_by(lambda _: b"\xff" * 99), 400, "no PKCS#10", id="garbage"),
    pytest.param(
        _by(lambda _: b"A" * (BODY_BYTES + 1)), 400, "over 8192 bytes", id="too much"
    ),
    pytest.param(_plain({}), 401, "a voucher is wanted", id="no voucher"),
    pytest.param(
        _plain({"Authorization": "Basic ????"}), 401, "a voucher is wanted",
        id="no base64",
    ),
    pytest.param(
        _plain({"Authorization": "Bearer x"}), 401, "a voucher is wanted",
        id="another scheme",
    ),
    pytest.param(
        _plain({"Authorization": "Basic " + "A" * 9000}), 401, "a voucher is wanted",
        id="a long header",
    ),
    pytest.param(
        _plain({}, "simplereenroll"), 401, "Doorsill-Proof", id="a renewal unproven"
    ),
    pytest.param(
        _plain({"Doorsill-Certificate": "0" * 64, "Doorsill-Proof": "AA=="},
               "simplereenroll"),
        403, "none of this fleet's", id="a renewal of a stranger",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("attack", "status", "says"), ATTACKS)
def test_an_attack_is_refused_with_its_own_sentence_and_stops_nobody_else(
    fleet: FleetWorld, attack: Attack, status: int, says: str
) -> None:
    made, other = fleet.add(2)
    found, said = attack(fleet, made)
    assert found == status
    assert re.search(says, said), said
    assert "\n" not in said.strip() and made.secret not in said
    assert fleet.enrol(other.serial, other.secret, _good(other))[0] == 200


def test_the_same_voucher_by_many_at_once_serves_one(fleet: FleetWorld) -> None:
    made = fleet.add()[0]
    bodies = [_good(made) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(lambda body: fleet.enrol(made.serial, made.secret, body), bodies)
        )
    assert sorted(status for status, _ in found) == [200] + [403] * 7
    with transaction(fleet.register) as session:
        assert len(devices.certificates(session, made.serial)) == 1


def _renewal(world: FleetWorld, days: float) -> Any:
    """A device, its key and certificate, and how it renews after ``days``."""
    made, key = world.add()[0], new_key()
    enrolment = world.enrolment
    body = request(made.serial, key)
    found = enrolment.enrol(made.serial, made.secret, body, NOW)
    assert found is not None

    def renew(other: Any, signer: Any = key) -> x509.Certificate:
        body = request(made.serial, other)
        of = fingerprint(found)
        proved = proof.sign_request(signer, proof.RENEWAL, of, body)
        return enrolment.renew(of, proved, body, NOW + timedelta(days=days))

    return made, key, found, renew


def test_a_renewal_is_proven_with_the_old_key(own: FleetWorld) -> None:
    _, _, found, renew = _renewal(own, 300)
    other = new_key()
    second = renew(other)
    assert second.subject == found.subject and second != found
    assert second.public_key() == other.public_key()
    assert renew(other) == second  # its answer was lost


@pytest.mark.parametrize(
    ("days", "signed_by_old", "same_key", "says"),
    [
        pytest.param(10, True, False, "is renewed from", id="too early"),
        pytest.param(400, True, False, "expired on", id="too late"),
        pytest.param(
            300, False, False, "not signed by the key", id="another key's word"
        ),
        pytest.param(300, True, True, "wants a new key", id="the old key again"),
    ],
)
def test_a_renewal_is_refused(
    own: FleetWorld, days: int, signed_by_old: bool, same_key: bool, says: str
) -> None:
    _, key, _, renew = _renewal(own, days)
    with pytest.raises(UntrustedError, match=says):
        renew(key if same_key else new_key(), key if signed_by_old else new_key())


def test_a_revoked_device_renews_no_more(own: FleetWorld) -> None:
    made, _, _, renew = _renewal(own, 300)
    with transaction(own.register) as session:
        assert devices.revoke(session, made.serial, NOW, "stolen") == 1
    with pytest.raises(UntrustedError, match="was revoked on"):
        renew(new_key())


def test_a_person_approves_where_the_shop_wants_it(own: FleetWorld) -> None:
    with transaction(own.register) as session:
        devices.add_site(session, "shop-2", NOW, approves=True)
    made, key = own.add(site="shop-2")[0], new_key()
    body = request(made.serial, key)
    with own.serving():
        assert own.enrol(made.serial, made.secret, body)[0] == 202
        with transaction(own.register) as session:
            devices.approve(session, made.serial)
        assert own.enrol(made.serial, made.secret, body)[0] == 200
        assert own.enrol(made.serial, made.secret, _good(made))[0] == 403


def test_who_is_refused_again_and_again_waits_and_is_served_after(
    own: FleetWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = own.add()[0]
    with own.serving():
        for _ in range(REFUSALS):
            assert own.enrol(made.serial, "0" * 16, b"")[0] == 403
        assert own.enrol(made.serial, made.secret, _good(made))[0] == 429
        monkeypatch.setattr(limits, "REFUSALS_S", 0.0)  # and that minute is over
        assert own.enrol(made.serial, made.secret, _good(made))[0] == 200


def test_nothing_older_than_tls_1_3_is_spoken(fleet: FleetWorld) -> None:
    context = ssl.create_default_context(cafile=str(fleet.chain.folder / "ca.pem"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(
            ("localhost", fleet.chain.places.port), END_S
        ) as plain,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(plain, server_hostname="localhost")


MANY = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@MANY
@given(st.binary(max_size=400), st.text(max_size=20), st.text(max_size=20))
def test_any_body_and_any_voucher_end_in_a_sentence(
    fleet: FleetWorld, body: bytes, serial: str, secret: str
) -> None:
    with pytest.raises(DoorsillError):
        fleet.enrolment.enrol(serial, secret, body, NOW)


@MANY
@given(st.data())
def test_a_request_with_any_bit_turned_is_refused_or_still_what_the_key_signed(
    fleet: FleetWorld, one: HandedOut, data: st.DataObject
) -> None:
    der = bytearray(ONE_KEY[one.serial])
    at = data.draw(st.integers(0, len(der) - 1))
    der[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        fleet.enrolment.enrol(one.serial, one.secret, base64.b64encode(der), NOW)
    except (ConfigError, UntrustedError):
        return
    # As the count of unused bits in the signature, which no signature covers.
    first = x509.load_der_x509_csr(ONE_KEY[one.serial])
    again = x509.load_der_x509_csr(bytes(der))
    assert again.tbs_certrequest_bytes == first.tbs_certrequest_bytes


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS"]),
    st.sampled_from(
        [f"{EST}/cacerts", f"{EST}/simpleenroll", "/doorsill/start", "/", "/../x"]
    ),
    st.binary(max_size=300),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60),
)
def test_any_request_gets_an_answer_that_is_no_fault_of_the_server(
    fleet: FleetWorld, method: str, path: str, body: bytes, header: str
) -> None:
    headers = {
        "Authorization": header,
        "Doorsill-Certificate": header,
        "Doorsill-Proof": header,
    }
    status, _ = fleet.ask(method, path, body, headers)
    assert status in (200, 400, 401, 403, 404, 405)


def test_only_the_hash_of_a_secret_is_kept(own: FleetWorld) -> None:
    made = own.add()[0]
    own.register.dispose()
    files = [each for each in own.chain.folder.rglob("*") if each.is_file()]
    assert not [each for each in files if made.secret.encode() in each.read_bytes()]
