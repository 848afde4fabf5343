"""Rows of ``doorsill status`` from files: policy, dates, disk, model, power."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from datetime import UTC, datetime
from pathlib import Path

from doorsill.cli.status_asked import GREEN, ORANGE, RED, ROOT, START, Finding, Shop
from doorsill.device import clock, health, validity
from doorsill.documents import pem
from doorsill.errors import ConfigError, UplinkError
from doorsill.models.allowed import allowed_models
from doorsill.models.named import find
from doorsill.policy.document import has_expired
from doorsill.policy.obedience import read_declaration
from doorsill.policy.verdict import read_verdict
from doorsill.privacy.budget import day_of
from doorsill.services.policies import store_of
from doorsill.uplink.outbox_view import glance

MIB = 1 << 20  # bytes
DISK_LEAST_MIB = 16  # less free space is red
DISK_SOON_MIB = 128  # less free space is orange
WAITING_MANY = 120  # rows that wait: an hour of two lines
PUSH = "in the office: doorsill-fleet policy"
# Why a policy that came by air is not in force, and what to do first.
REFUSED = {
    "too_large": ("it is over 16 KiB", f"make it shorter; {PUSH} push"),
    "signature": (
        "this device's controller did not sign it",
        f"{PUSH} push; if that does not help, look for who writes to the broker",
    ),
    "incomplete": ("it is not complete", "doorsill policy check FILE; journalctl"),
    "other_site": ("it is for another site", f"{PUSH} push, for this site"),
    "other_device": ("it is for another device", f"{PUSH} push, for this device"),
    "expired": ("its last day is over", f"{PUSH} sign a newer version, then push it"),
    "rollback": (
        "it is not newer than the one in force",
        f"{PUSH} sign the next version, then push it",
    ),
}


def policy(shop: Shop) -> Finding:
    """The policy in force, and whether the processes obey it."""
    config = shop.config
    found = store_of(config).load()
    attributes = f"attributes on, notice {found.notice}" if found.attributes else ""
    lines = f"{len(found.lines)} line{'s' * (len(found.lines) != 1)}"
    says = f"version {found.version}, {lines}, {found.digest[:16]}"
    says = ", ".join(filter(None, (says, attributes)))
    obeyed = {
        name: read_declaration(config.declaration(name))
        for name in ("vision", "uplink")
    }
    running = {name: digest for name, digest in obeyed.items() if digest}
    others = [name for name, digest in running.items() if digest != found.digest]
    if others:
        theirs = ", ".join(f"{name} obeys {running[name][:16]}" for name in others)
        step = "systemctl restart doorsill.target"
        return Finding("policy", RED, f"{says}; but {theirs}", step)
    if len(running) < len(obeyed):
        return Finding(
            "policy", ORANGE, f"{says}; not everybody runs to obey it", START
        )
    if has_expired(found, shop.now.timestamp()):
        says = f"{says}; its last day was {found.expires}, and it stays in force"
        return Finding("policy", ORANGE, says, f"{PUSH} sign a newer one, then push it")
    verdict = read_verdict(config.verdict)
    if verdict is not None and verdict.refused:
        why, step = REFUSED[verdict.word]
        when = datetime.fromtimestamp(verdict.utc, UTC)
        says += (
            f"; one by air, {verdict.digest[:16]}, was refused {when:%Y-%m-%d %H:%M}"
        )
        return Finding("policy", ORANGE, f"{says} UTC: {why}", step)
    return Finding("policy", GREEN, f"{says}; obeyed by {' and '.join(running)}")


def certificate(shop: Shop) -> Finding:
    """All certificates of our file, and the CAs that we trust."""
    broker = shop.config.broker
    chain = pem.read_chain(broker.certificate)
    bundle = pem.read_chain(broker.ca)
    faults = [
        *validity.of_chain(broker.certificate, chain, shop.now),
        *validity.of_bundle(broker.ca, bundle, shop.now),
        *validity.of_issuer(broker.certificate, chain, bundle),
    ]
    faults.sort(key=lambda fault: fault.warning)
    if faults:
        light = ORANGE if faults[0].warning else RED
        return Finding("certificate", light, faults[0].says, faults[0].step)
    ends = min(each.not_valid_after_utc for each in chain)
    left = (ends - shop.now).days
    return Finding("certificate", GREEN, f"valid until {ends:%Y-%m-%d}, {left} days")


def time(shop: Shop) -> Finding:
    """Whether the clock can be right, and who sets it."""
    chain = pem.read_chain(shop.config.broker.certificate)
    known = [each.not_valid_before_utc.timestamp() for each in chain]
    known += clock.when_written(shop.config.policy_in_force)
    floor = datetime.fromtimestamp(clock.floor_of(known), UTC)
    shown = f"{shop.now:%Y-%m-%d %H:%M} UTC"
    if shop.now < floor:
        says = f"{shown}: too early, it is later than {floor:%Y-%m-%d %H:%M} for sure"
        return Finding("clock", RED, says, "timedatectl; is a time server in reach?")
    if not clock.is_synchronised():
        says = f"{shown}; not known to be set by the network"
        return Finding("clock", ORANGE, says, "timedatectl timesync-status")
    return Finding("clock", GREEN, f"{shown}, set by the network")


def outbox(shop: Shop) -> Finding:
    """What waits for the broker."""
    path = shop.config.outbox
    try:
        there = path.exists()
    except PermissionError:
        return Finding("outbox", ORANGE, "this user may not look at it", ROOT)
    if not there:
        return Finding("outbox", ORANGE, "is not there yet; uplink has not run", START)
    try:
        numbers = _numbers(path, day_of(int(shop.now.timestamp())))
    except UplinkError as error:
        return Finding("outbox", RED, str(error), "stop uplink and keep the file")
    says = ", ".join(f"{name} {value}" for name, value in numbers.items())
    if shop.uplink is not None and not shop.uplink["disk_takes"]:
        return Finding("outbox", RED, f"the disk takes nothing; {says}", "df -h; dmesg")
    if numbers["dropped"] or numbers["dead letters"]:
        return Finding("outbox", RED, says, "look at the broker's access list and log")
    many = numbers["waiting"] > WAITING_MANY
    step = "is the broker reachable? nothing is lost yet" if many else ""
    return Finding("outbox", ORANGE if many else GREEN, says, step)


def disk(shop: Shop) -> Finding:
    """The free space where the outbox is."""
    folder = shop.config.device.state
    try:
        free = shutil.disk_usage(folder).free / MIB
    except OSError as error:
        return Finding("disk", ORANGE, f"{folder}: {error.strerror}", "start uplink")
    light = RED if free < DISK_LEAST_MIB else ORANGE if free < DISK_SOON_MIB else GREEN
    step = "" if light == GREEN else f"make room there: df {folder}"
    return Finding("disk", light, f"{free:.0f} MiB free under {folder}", step)


def power(shop: Shop) -> Finding:
    """What the board says of its supply and its heat."""
    word, degrees = health.power(), health.temperature_c()
    heat = "" if degrees is None else f", {degrees} °C"
    steps = {
        "under_voltage": "use the board's own power supply and a short cable",
        "throttled": "give it air, or a fan",
    }
    step = steps.get(word, "")
    words = {"unknown": "this machine does not say"}
    says = words.get(word, word.replace("_", "-")) + heat
    return Finding("power", RED if step else GREEN, says, step)


def model(shop: Shop) -> Finding:
    """The detector, checked against its manifest."""
    found = find(shop.config.model.detector)
    with contextlib.suppress(ConfigError):  # the row of the policy reports it
        found.require_allowed(allowed_models(store_of(shop.config).load().models))
    digest = hashlib.sha256(found.read()).hexdigest()
    manifest = found.manifest
    if manifest is None:
        return Finding("model", ORANGE, f"{found.title}, {digest[:16]}, not ours")
    says = f"{manifest.name} {manifest.version}, {digest[:16]}"
    light = GREEN if manifest.status == "stable" else ORANGE
    return Finding("model", light, f"{says}, {manifest.status}")


def _numbers(path: Path, today: int) -> dict[str, int | float]:
    found = glance(path)
    spent = found.spent_micro / 1e6 if found.day == today else 0.0
    return {
        "waiting": found.waiting,
        "dropped": found.dropped,
        "dead letters": found.buried,
        "epsilon spent today": spent,
    }
