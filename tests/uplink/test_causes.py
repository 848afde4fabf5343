"""Why there is no connection, tried: each cause has its own sentence, port and file."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from broker import FAST, SITE, Device, Site, device
from limits import END_S

from doorsill.cli.check_connect import Visit
from doorsill.uplink.answers import Disconnected
from doorsill.uplink.causes import SENTENCES, Files, explain
from doorsill.uplink.tls import Address
from doorsill_fleet.ca.authority import Authority

NOW = datetime.now(UTC)
LONG_AGO, SOON = NOW - timedelta(days=500), NOW + timedelta(days=30)
NAME = "cam-01"
NAMES_A_STEP = re.compile(r"[;:?]")  # behind what is wrong: what to do, or to look at


@dataclass
class Case:
    """A broker and an address that do not go together."""

    site: Site
    address: Address
    other: Path  # a folder for what is not ours

    def serve(self, **made: Any) -> None:
        """The broker comes back with another certificate."""
        authority = made.get("authority", self.site.authority)
        hosts = made.get("hosts", ["127.0.0.1", "localhost"])
        server = authority.issue_server(hosts, made.get("at", NOW))
        server.write(self.site.broker.folder, "broker")
        self.site.broker.restart()

    def come(self, authority: Authority | None = None, at: datetime = NOW) -> None:
        """The device comes with another certificate."""
        issued = (authority or self.site.authority).issue_device(SITE, NAME, at)
        pem, key = issued.write(self.other, NAME)
        self.address = replace(self.address, certificate=pem, key=key)


def expired(case: Case) -> None:
    case.serve(at=LONG_AGO)


def not_yet_valid(case: Case) -> None:
    case.serve(at=SOON)


def other_name(case: Case) -> None:
    case.serve(hosts=["broker.example"])


def other_ca(case: Case) -> None:
    case.serve(authority=Authority.create("another", NOW))


def ca_expired(case: Case) -> None:
    old = Authority.create("old", NOW - timedelta(days=4000))
    case.address = replace(case.address, ca=old.write_root(case.other))
    server = old.issue_server(["127.0.0.1"], NOW)
    server.write(case.site.broker.folder, "broker")
    case.site.broker.restart()


def taken_back(case: Case) -> None:
    folder = case.site.broker.folder
    server = case.site.authority.issue_server(["127.0.0.1"], NOW)
    server.write(folder, "broker")
    case.site.authority.revoke(server.certificate, NOW)
    revoked = case.other / "revoked.pem"
    revoked.write_bytes(case.site.authority.revocation_list(NOW))
    case.address = replace(case.address, revoked=revoked)
    case.site.broker.restart()


def list_too_old(case: Case) -> None:
    revoked = case.other / "revoked.pem"
    revoked.write_bytes(case.site.authority.revocation_list(LONG_AGO))
    case.address = replace(case.address, revoked=revoked)


def list_of_another(case: Case) -> None:
    revoked = case.other / "revoked.pem"
    another = Authority.create("another", NOW)
    revoked.write_bytes(another.revocation_list(NOW))
    case.address = replace(case.address, revoked=revoked)


def client_for_server(case: Case) -> None:
    issued = case.site.authority.issue_device(SITE, "other", NOW)
    issued.write(case.site.broker.folder, "broker")
    case.site.broker.restart()


def ours_expired(case: Case) -> None:
    case.come(at=LONG_AGO)


def ours_not_yet_valid(case: Case) -> None:
    case.come(at=SOON)


def ours_of_another_ca(case: Case) -> None:
    case.come(Authority.create("another", NOW))


def ours_revoked(case: Case) -> None:
    case.site.broker.revoke(case.site.issued[NAME].certificate)


def without_tls(case: Case) -> None:
    file = case.site.broker.folder / "mosquitto.conf"
    tls = ("cafile", "certfile", "keyfile", "crlfile", "tls_", "require_", "use_")
    text = [each for each in file.read_text().splitlines() if not each.startswith(tls)]
    file.write_text("\n".join(text) + "\n")
    case.site.broker.restart()


def nobody(case: Case) -> None:
    case.site.broker.stop()


def no_such_host(case: Case) -> None:
    case.address = replace(case.address, host="broker.invalid")


def password(case: Case) -> None:
    """As the broker that most users of Home Assistant have."""
    passwords = case.site.broker.folder / "passwords"
    passwords.write_text("")
    file = case.site.broker.folder / "mosquitto.conf"
    text = file.read_text().replace("use_identity_as_username true\n", "")
    text = text.replace("use_username_as_clientid true\n", "")
    file.write_text(f"{text}password_file {passwords}\n")
    case.site.broker.restart()


@pytest.mark.parametrize(
    ("make", "words", "file"),
    [
        (expired, "the certificate of the broker at {where} has expired", ""),
        (not_yet_valid, "is not valid yet; is our clock right (20", ""),
        (other_name, "is for another name than 127.0.0.1; ", ""),
        (other_ca, "is not from a CA in", "ca"),
        (ca_expired, "has expired; renew it", "ca"),
        (taken_back, "was taken back", "revoked"),
        (list_too_old, "is too old", "revoked"),
        (list_of_another, "is not a list of the CA", "revoked"),
        (client_for_server, "is not for a server", ""),
        (ours_expired, "says that our certificate", "certificate"),
        (ours_not_yet_valid, "does not take our certificate", "certificate"),
        (ours_of_another_ca, "does not know the CA of our", "certificate"),
        (ours_revoked, "is revoked", "certificate"),
        (without_tls, "does that port speak TLS (8883 usually)?", ""),
        (nobody, "nobody listens at {where}", ""),
        (no_such_host, "name", ""),
        (password, "refuses us: not authorised (0x87)", ""),
    ],
    ids=lambda each: each.__name__ if callable(each) else "",
)
def test_each_cause_has_its_own_sentence(
    own_site: Site,
    tmp_path: Path,
    make: Callable[[Case], None],
    words: str,
    file: str,
) -> None:
    case = Case(own_site, own_site.address(NAME), tmp_path / "other")
    case.other.mkdir()
    make(case)
    uplink = device(case.address, FAST)
    uplink.publisher.start()
    reason = first_reason(uplink)
    uplink.publisher.stop()
    assert words.format(where=case.address.where) in reason
    assert case.address.host in reason
    assert file == "" or str(getattr(case.address, file)) in reason
    assert NAMES_A_STEP.search(reason)
    assert not re.search(r"_ssl\.c|\[SSL|Errno", reason)
    (fault, *_) = Visit(case.address).faults(SITE)
    assert words.format(where=case.address.where) in fault.says  # `check` says the same


def first_reason(uplink: Device) -> str:
    uplink.wait(lambda: uplink.heard(Disconnected))
    return str(uplink.heard(Disconnected)[0].reason)


def test_no_two_of_them_share_a_sentence() -> None:
    said = [sentence for _, sentence in SENTENCES]
    signs = [sign for some, _ in SENTENCES for sign in some]
    assert len(said) == len(set(said))
    assert len(signs) == len(set(signs))


# --- what mosquitto cannot be: a server that says what it likes -----------------------

PLAIN = (
    pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS", id="web"),
    pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak TLS", id="ssh"),
    pytest.param(b"\x20\x02\x00\x00", "speak TLS", id="MQTT without TLS"),
    pytest.param(b"", "does that port speak TLS", id="nothing"),
    pytest.param(bytes.fromhex("15030300020246"), "TLS 1.3", id="alert: version"),
    pytest.param(bytes.fromhex("15030300020228"), "no way to speak", id="alert: 40"),
    pytest.param(bytes.fromhex("15030300020270"), "knows no", id="alert: no such name"),
    pytest.param(bytes.fromhex("15030300020250"), "a fault of its own", id="alert: 80"),
)


@contextmanager
def server(says: bytes) -> Iterator[int]:
    """Reads a little, says it, hangs up; again and again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    link, _ = listener.accept()
                    with link:
                        link.recv(65536)
                        link.sendall(says)
                        link.shutdown(socket.SHUT_WR)
                        link.settimeout(END_S)
                        link.recv(65536)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(END_S)


@pytest.mark.parametrize(("says", "words"), PLAIN)
def test_what_is_no_broker_with_tls_is_said(
    site: Site, says: bytes, words: str
) -> None:
    with server(says) as port:
        uplink = device(replace(site.address("cam-77"), port=port), FAST)
        uplink.publisher.start()
        reason = first_reason(uplink)
        uplink.publisher.stop()
    assert words in reason and f"127.0.0.1:{port}" in reason


# Alerts about our certificate, as OpenSSL words them (RFC 8446, 6.2).
ALERTS = {
    "SSLV3_ALERT_BAD_CERTIFICATE": "not valid yet at the broker's clock",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "clientAuth",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "is revoked",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "has expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "does not say why",
    "TLSV1_ALERT_UNKNOWN_CA": "does not know the CA",
    "TLSV1_ALERT_ACCESS_DENIED": "lets it not in",
    "TLSV1_ALERT_DECRYPT_ERROR": "another CA of the same name",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "wants a client certificate",
}


@pytest.mark.parametrize(("alert", "words"), ALERTS.items())
def test_what_a_broker_says_of_our_certificate_names_it(alert: str, words: str) -> None:
    text = f"[SSL: {alert}] {alert.lower().replace('_', ' ')} (_ssl.c:2580)"
    files = Files("shop:8883", Path("/a/ca.pem"), Path("/a/device.crt"))
    said = explain(ssl.SSLError(1, text), files)
    assert words in said and "shop:8883" in said and "/a/device.crt" in said


def test_what_nobody_has_words_for_is_shown_and_short() -> None:
    files = Files("shop:8883")
    assert explain("something new", files) == "shop:8883: something new"
    assert len(explain("x" * 9999, files)) < 150


@pytest.mark.parametrize(
    "said",
    [
        "EOF occurred in violation of protocol (_ssl.c:1006)",
        "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol",
        "TLS/SSL connection has been closed (EOF) (_ssl.c:992)",
    ],
)
def test_an_end_in_the_handshake_has_one_sentence_however_python_words_it(
    said: str,
) -> None:
    files = Files(where="broker.example:8883")
    assert explain(said, files).startswith("broker.example:8883 hangs up as TLS begins")
