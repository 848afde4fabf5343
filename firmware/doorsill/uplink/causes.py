"""Why there is no connection: one sentence for each cause, with host, port and file.

The error of the network, of OpenSSL or of the broker's TLS alert comes as text, because
paho keeps nothing else of it; its fixed words decide. First come errors that *we* find
in the broker's certificate, then errors that *it* finds in ours, then what is no TLS.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from doorsill.documents import pem
from doorsill.errors import ConfigError

LONGEST = 120  # characters of an error that we have no sentence for


@dataclass(frozen=True, slots=True)
class Files:
    """The address and the files that a sentence may name."""

    where: str = "the broker's address"  # host:port
    ca: Path = Path("ca.pem")
    certificate: Path = Path("device.crt")
    revoked: Path | None = None

    @property
    def host(self) -> str:
        """The host as the broker's certificate has to name it."""
        return self.where.rpartition(":")[0] or self.where


def explain(error: object, files: Files | None = None) -> str:
    """One sentence for an error of the network or of TLS."""
    files = files or Files()
    text = str(error)
    plain = text.lower().replace("_", " ")
    for signs, sentence in SENTENCES:
        if any(sign in plain for sign in signs):
            return sentence.format(
                where=files.where,
                host=files.host,
                ca=files.ca,
                certificate=files.certificate,
                revoked=files.revoked or "broker.revoked",
                now=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
                whose=_whose(files) if "{whose}" in sentence else "",
            )
    return f"{files.where}: {text[:LONGEST]}"


def _whose(files: Files) -> str:
    """Which certificate has expired; OpenSSL does not say which one of the chain."""
    with contextlib.suppress(ConfigError):
        ends = min(each.not_valid_after_utc for each in pem.read_chain(files.ca))
        if ends < datetime.now(UTC):
            return f"the CA in {files.ca} of the broker at {files.where} has expired"
    return f"the certificate of the broker at {files.where} has expired"


# Words of OpenSSL 3, of Python and of the kernel, and what they mean here. The first
# match counts, so a narrow sign stands before a wide one.
SENTENCES: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("unasked", "broker sends more than"),
        "the broker at {where} sends what nobody asked for",
    ),
    # Errors that we find in the broker's certificate.
    (
        ("verify failed: certificate revoked",),
        "the certificate of the broker at {where} was taken back, as {revoked} "
        "says; give the broker a new one",
    ),
    (
        ("crl has expired",),
        "the list {revoked} of certificates that were taken back is too old to look"
        " the broker at {where} up in; fetch the CA's newest",
    ),
    (
        ("crl is not yet valid",),
        "the list {revoked} of certificates that were taken back is not valid yet, "
        "so the broker at {where} cannot be looked up; is our clock right ({now})?",
    ),
    (
        ("unable to get certificate crl",),
        "{revoked} is not a list of the CA that signed the certificate of the "
        "broker at {where}",
    ),
    (
        ("hostname mismatch", "ip address mismatch"),
        "the certificate of the broker at {where} is for another name than {host}; "
        "give it one that names {host}, or put the name in it into broker.host",
    ),
    (
        ("certificate has expired",),
        "{whose}; renew it, or is our clock wrong ({now})?",
    ),
    (
        ("certificate is not yet valid",),
        "the certificate of the broker at {where}, or its CA, is not valid yet; is "
        "our clock right ({now})?",
    ),
    (
        ("self-signed", "unable to get local issuer"),
        "the certificate of the broker at {where} is not from a CA in {ca}; that "
        "file has to hold the CA that signed it",
    ),
    (
        ("unable to get issuer",),
        "{ca} holds a CA between, and not the root that the certificate of the "
        "broker at {where} goes back to; add the root",
    ),
    (
        ("unable to verify the first",),
        "the broker at {where} does not send the CA between its certificate and the"
        " root in {ca}; let it send its whole chain",
    ),
    (
        ("unsuitable certificate purpose", "unsupported certificate purpose"),
        "the certificate of the broker at {where} is not for a server; it needs the"
        " extended key usage serverAuth",
    ),
    (
        ("invalid ca certificate",),
        "{ca} holds a certificate that is no CA; put the CA that signed the "
        "certificate of the broker at {where} there",
    ),
    (
        ("key too weak",),
        "the certificate of the broker at {where} has a key that is too weak",
    ),
    (
        ("md too weak",),
        "the certificate of the broker at {where} is signed with a hash that is too"
        " weak",
    ),
    (
        ("verify failed",),
        "we do not trust the certificate of the broker at {where} with the CA in "
        "{ca}; `openssl verify -CAfile {ca}` says more of it",
    ),
    # Errors that the broker finds in ours: TLS alerts (RFC 8446, 6.2).
    (
        ("alert unknown ca",),
        "the broker at {where} does not know the CA of our certificate "
        "{certificate}; its cafile has to hold that CA",
    ),
    (
        ("alert certificate expired",),
        "the broker at {where} says that our certificate {certificate} has expired;"
        " renew it, or is the broker's clock wrong?",
    ),
    (
        ("alert certificate revoked",),
        "the broker at {where} says that our certificate {certificate} is revoked; "
        "this device needs a new one",
    ),
    (
        ("alert certificate required",),
        "the broker at {where} wants a client certificate and got none; is "
        "{certificate} the device's?",
    ),
    (
        ("alert unsupported certificate",),
        "the broker at {where} says that our certificate {certificate} is not for a"
        " client; it needs the extended key usage clientAuth",
    ),
    (
        ("alert bad certificate",),
        "the broker at {where} does not take our certificate {certificate}: it is "
        "not valid yet at the broker's clock, or damaged",
    ),
    (
        ("alert certificate unknown",),
        "the broker at {where} does not take our certificate {certificate}, and "
        "does not say why; look at the broker's log",
    ),
    (
        ("alert access denied",),
        "the broker at {where} knows our certificate {certificate} and lets it not "
        "in; look at the broker's access list",
    ),
    (
        ("alert decrypt error",),
        "the broker at {where} cannot verify our certificate {certificate}: another"
        " CA of the same name signed it",
    ),
    # Another version of TLS, or no TLS.
    (
        ("protocol version", "unsupported protocol"),
        "the broker at {where} does not speak TLS 1.3; it has to",
    ),
    (
        ("handshake failure",),
        "the broker at {where} finds no way to speak TLS with us; it has to take "
        "TLS 1.3, and a client certificate of P-256",
    ),
    (
        ("unrecognized name",),
        "the server at {where} knows no {host}; is broker.host right?",
    ),
    (
        ("alert internal error",),
        "the broker at {where} has a fault of its own in TLS; look at its log",
    ),
    (
        ("wrong version number", "record layer failure"),
        "what answers at {where} does not speak TLS; 8883 is the usual port with "
        "it, 1883 the one without",
    ),
    (
        ("http request",),
        "what answers at {where} is a web server and no MQTT broker",
    ),
    (
        ("eof occurred", "unexpected eof", "closed (eof)"),
        "{where} hangs up as TLS begins; does that port speak TLS (8883 usually)?",
    ),
    # Errors of the network.
    (
        ("reset by peer", "broken pipe"),
        "{where} broke the connection off; look at the broker's log",
    ),
    (
        ("refused",),
        "nobody listens at {where}; is the broker on, and the port right?",
    ),
    (
        ("handshake operation timed out",),
        "{where} takes the connection and does not answer; does it speak TLS?",
    ),
    (
        ("timed out",),
        "{where} does not answer; is it on, and may we reach it?",
    ),
    (
        ("name or service not known", "no address associated"),
        "there is no host of the name in {where}; is broker.host right?",
    ),
    (
        ("temporary failure in name",),
        "no name server answers for {where}; has this machine a network?",
    ),
    (
        ("unreachable",),
        "there is no way to {where}; has this machine a network?",
    ),
    (
        ("no route to host",),
        "there is no way to {where}; is that machine on?",
    ),
)
