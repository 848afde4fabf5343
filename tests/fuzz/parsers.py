"""Every parser of bytes from outside, by name, and the six families they make.

Each is made in a folder of its own, with real keys; a body that has to be signed is
signed here, so that mutations get past the signature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from . import cards, files, links, media, signed, x509s
from .running import Parser

Make = Callable[[Path], Parser]

FAMILIES: Mapping[str, Mapping[str, Make]] = {
    "signed": {
        "policy": signed.policy_document,
        "policy-body": signed.policy_body,
        "certificate": signed.certificate,
        "certificate-body": signed.certificate_body,
        "head-body": signed.head_body,
        "chain": signed.own_chain,
        "export": signed.export_file,
        "export-body": signed.export_body,
    },
    "x509": {
        "card": x509s.card,
        "sealing": x509s.sealing,
        "consent-ca": x509s.consent_ca,
        "revocation-list": x509s.revocation_list,
        "device-certificate": x509s.device_certificate,
        "device-key": x509s.device_key,
        "controller-key": x509s.controller_key,
        "enrolled": x509s.enrolled,
    },
    "files": {
        "configuration": files.configuration,
        "draft": files.draft,
        "manifest": files.manifest,
        "labels": files.labels,
        "marker": files.marker,
    },
    "links": {
        "message": links.message,
        "tally": links.tally,
        "broker-bytes": links.broker_bytes,
        "verdict": links.verdict,
        "cell": links.cell,
        "acknowledgement": links.acknowledgement,
        "lease": links.lease,
        "crop": links.crop,
        "question": links.question,
        "answer": links.answer,
    },
    "cards": {"apdu": cards.apdu, "ctap": cards.ctap},
    "media": {
        "model": media.model,
        "model-metadata": media.stated,
        "mp4": media.mp4,
        "mkv": media.mkv,
        "fetched": media.fetched,
    },
}
PARSERS = {name: make for each in FAMILIES.values() for name, make in each.items()}
