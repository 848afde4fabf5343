"""Files that a person or a crash wrote: configuration, draft, manifest, marker."""

from __future__ import annotations

import json
from pathlib import Path

from places import ROOT
from vaults import Bench
from vaults import lease as a_lease

from doorsill.config import read_config
from doorsill.errors import ConfigError
from doorsill.evaluation.measure import read_labels
from doorsill.models.manifest import load_manifest
from doorsill.policy import document
from doorsill.policy.draft import draft_text, first_body
from doorsill.policy.file import read_unverified
from doorsill.vault import marker as markers
from doorsill.vault.session import begin_interval

from .running import Parser

MORE = b"""
[consent]
ca = 'x'
reader = 'y'
lamp_line = 'a:1'
watchdog_line = 'a:2'
[privacy]
k = 20
epsilon_per_day = 0.5
[model]
threads = 1
"""


def configuration(folder: Path) -> Parser:
    path = folder / "doorsill.toml"
    good = (ROOT / "firmware/systemd/doorsill.toml").read_bytes() + MORE

    def feed(data: bytes) -> None:
        path.write_bytes(data)
        config, problems = read_config(path)
        if config is None:
            raise ConfigError("; ".join(problems))

    return Parser([good], feed)


def draft(folder: Path) -> Parser:
    path = folder / "policy.toml"

    def feed(data: bytes) -> None:
        path.write_bytes(data)
        read_unverified(path, document.parse)

    body = first_body("shop-1") | {"controller": "Lojas Exemplo, Porto"}
    return Parser([draft_text(body).encode()], feed)


def manifest(folder: Path) -> Parser:
    path = folder / "model.toml"
    seeds = [each.read_bytes() for each in sorted((ROOT / "models").glob("*.toml"))]

    def feed(data: bytes) -> None:
        path.write_bytes(data)
        load_manifest(path)

    return Parser(seeds, feed)


def labels(folder: Path) -> Parser:
    path = folder / "labels.json"
    frame = {"heads": [[0, 0, 0.1, 0.1]], "people": [], "ignore": []}
    good = json.dumps({"clips": {"a.mp4": {"17": frame}}}).encode()

    def feed(data: bytes) -> None:
        path.write_bytes(data)
        read_labels(path)

    return Parser([good], feed)


def marker(folder: Path) -> Parser:
    """A start with it; and an inspector takes the certificate of that start."""
    bench = Bench(folder)
    path = folder / markers.MARKER_NAME
    markers.write(folder, begin_interval(a_lease(), bench.now_ms), "ab" * 16)
    good, count = path.read_bytes(), 0

    def feed(data: bytes) -> None:
        nonlocal count
        count += 1
        path.write_bytes(data)
        if count % 200 == 0:  # a chain has an end
            for each in (folder / "certificates").iterdir():
                each.unlink()
        bench.restart().start()
        bench.now_ms += 1000
        if count % 20 == 0:
            bench.verified()

    return Parser([good], feed)
