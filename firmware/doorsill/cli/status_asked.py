"""Rows of ``doorsill status`` for which a process is asked.

The uplink answers for vision, the camera and the broker, the vault for itself and its
reader. The kernel says which processes run. Each row says what to do first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from doorsill.channels.control import ask
from doorsill.config import Config
from doorsill.errors import ConfigError
from doorsill.process.holder import holder_of
from doorsill.process.locks import Lock, locks_of
from doorsill.services.vault_opening import LOCK_NAME
from doorsill.uplink.standing import SILENT_S

GREEN, ORANGE, RED = "green", "orange", "red"
ASK_S = 5.0  # limit for an answer of a process
LOG_VISION = "journalctl -u doorsill-vision says why"
LOG_UPLINK = "journalctl -u doorsill-uplink says why"
START = "systemctl start doorsill.target"
PINS = "look at the board on the header; systemctl restart doorsill-vault"
ROOT = "run as root: sudo doorsill status"
READER_STEPS = {
    "missing": "plug the reader in; `lsusb` shows it",
    "no_service": "systemctl start pcscd.socket; journalctl -u pcscd",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    what: str  # the part that it is about
    light: str  # GREEN, ORANGE or RED
    says: str  # its state, in words
    step: str = ""  # what to do first; empty if nothing


@dataclass(slots=True)
class Shop:
    """The configuration, and what the processes answered."""

    config: Config
    now: datetime
    uplink: dict[str, Any] | None = None  # its answer
    vault: dict[str, Any] | None = None  # its answer
    silent: dict[str, str] = field(default_factory=dict)  # why a process did not answer

    def hear(self) -> None:
        """Ask every process that could run here."""
        self.uplink = self._ask("uplink", self.config.uplink_socket)
        if self.config.consent is not None:
            self.vault = self._ask("vault", self.config.vault_socket)

    def _ask(self, who: str, path: Path) -> dict[str, Any] | None:
        try:
            return ask(path, "status", who, ASK_S)[0]
        except ConfigError as error:
            self.silent[who] = str(error)
            return None


def vision(shop: Shop) -> Finding:
    """Whether vision runs."""
    pid = holder_of(shop.config.declaration("vision"))
    if pid is None:
        return Finding("vision", RED, "does not run", f"{START}; {LOG_VISION}")
    if shop.uplink is None:
        says = f"runs (pid {pid}); the uplink, which hears of it, says nothing"
        return Finding("vision", ORANGE, says, _step_for(shop, "uplink"))
    heard = shop.uplink["vision"]["heard_s"]
    if heard is None:
        says = f"runs (pid {pid}); the uplink has heard nothing of it yet"
        return Finding("vision", ORANGE, says, "wait a minute, then ask again")
    if heard > SILENT_S:
        says = f"runs (pid {pid}) and has said nothing for {heard:.0f} s: it hangs"
        return Finding("vision", RED, says, "systemctl restart doorsill-vision")
    return Finding("vision", GREEN, f"runs (pid {pid}), heard {heard:.0f} s ago")


def camera(shop: Shop) -> Finding:
    """What the camera gives, as vision reported it to the uplink."""
    if shop.uplink is None:
        says = "not known: the uplink says nothing"
        return Finding("camera", ORANGE, says, _step_for(shop, "uplink"))
    answer = shop.uplink["vision"]
    heard = answer["heard_s"]
    if heard is None or heard > SILENT_S:
        says = "not known: vision has said nothing"
        return Finding("camera", ORANGE, says, LOG_VISION)
    plug = f"is it plugged in, and does `doorsill check` open it? {LOG_VISION}"
    restarts = answer["camera_restarts"]
    lost = f", lost {restarts} times" if restarts else ""
    rows = {
        "fresh": (GREEN, f"{answer['frame_rate']:.1f} frames/s{lost}", ""),
        "closed": (GREEN, "off: outside the opening hours", ""),
        "unknown": (ORANGE, "no frame yet", "wait ten seconds, then ask again"),
        "old": (RED, f"no frame for more than 10 s{lost}", plug),
        "none": (RED, f"no frame{lost}", plug),
        "frozen": (
            RED,
            "the same picture again and again",
            "systemctl restart doorsill-vision; then the camera's cable",
        ),
    }
    return Finding("camera", *rows[answer["picture"]])


def uplink(shop: Shop) -> Finding:
    """Whether the uplink runs."""
    if shop.uplink is not None:
        found = shop.uplink["problems"]
        if found:
            says = f"runs, and tells of problems: {', '.join(found)}"
            return Finding("uplink", ORANGE, says, "see the other lines")
        return Finding("uplink", GREEN, "runs, and tells of no problem")
    if "run as root" in shop.silent["uplink"]:
        return Finding("uplink", ORANGE, "this user may not ask it", ROOT)
    pid = holder_of(shop.config.declaration("uplink"))
    if pid is None:
        return Finding("uplink", RED, "does not run", f"{START}; {LOG_UPLINK}")
    says = f"runs (pid {pid}) and does not answer: it starts, or hangs"
    return Finding("uplink", RED, says, LOG_UPLINK)


def broker(shop: Shop) -> Finding:
    """The state of the broker, as the uplink knows it."""
    where = f"{shop.config.broker.host}:{shop.config.broker.port}"
    if shop.uplink is None:
        says = f"not known whether {where} is reached: the uplink says nothing"
        return Finding("broker", ORANGE, says, _step_for(shop, "uplink"))
    answer = shop.uplink["broker"]
    problems = shop.uplink["problems"]
    if "takeover" in problems:
        since_s = answer["taken_over_s"]
        says = f"another client came with our certificate {since_s:.0f} s ago"
        step = "find the other device with this certificate and id, and end it"
        return Finding("broker", RED, says, step)
    if "access" in problems:
        says = f"refused us {answer['refused_s']:.0f} s ago: {answer['refusal']}"
        return Finding("broker", RED, says, "doorsill check --connect; its access list")
    if not answer["connected"]:
        why = answer["away"] or "not yet"
        says = f"no connection to {where}: {why}; what is counted is kept"
        return Finding("broker", ORANGE, says, "doorsill check --connect")
    heard = answer["answered_s"]
    ago = "no answer yet" if heard is None else f"last answer {heard:.0f} s ago"
    return Finding("broker", GREEN, f"connected to {where}, {ago}")


def locks(shop: Shop) -> Finding:
    """Which locks of the kernel hold, as the kernel itself says."""
    paths = {name: shop.config.declaration(name) for name in ("vision", "uplink")}
    if shop.config.consent is not None:
        paths["vault"] = shop.config.vault_folder / LOCK_NAME
    pids = {name: holder_of(path) for name, path in paths.items()}
    held = {name: locks_of(pid) for name, pid in pids.items() if pid is not None}
    if not held:
        return Finding("locks", ORANGE, "nothing runs that could be locked", START)
    said = (shop.uplink or {}).get("locks", [])
    shown = [f"{name} {_words(each)}" for name, each in held.items()]
    says = "; ".join([*shown, *(["landlock"] if "landlock" in said else [])])
    open_ = [name for name, each in held.items() if Lock.SECCOMP not in each]
    if open_ or "locks" in (shop.uplink or {}).get("problems", []):
        step = "doorsill check says which lock this kernel lacks"
        return Finding("locks", RED, f"{says}; not held: {', '.join(open_)}", step)
    if shop.uplink is not None and "landlock" not in said:
        says += "; this kernel has no landlock: seccomp and the rooms hold"
        return Finding("locks", ORANGE, says, "a kernel with CONFIG_SECURITY_LANDLOCK")
    return Finding("locks", GREEN, says)


def vault(shop: Shop) -> Iterator[Finding]:
    """The vault and its reader. Without a vault no face is stored, so it is orange."""
    answer = shop.vault
    if answer is None:
        step = _step_for(shop, "vault")
        yield Finding("vault", ORANGE, shop.silent["vault"], step)
        yield Finding("reader", ORANGE, "not known: the vault says nothing", step)
        return
    lamp = {True: ", lamp lit", False: ", lamp dark", None: ""}[answer["lamp"]]
    if answer["state"] == "open":
        says = f"OPEN for {answer['purpose']}, {answer['sealed']} crops sealed"
        yield Finding("vault", GREEN, says + lamp)
    elif answer["verified_blank"]:
        yield Finding("vault", GREEN, "BLANK (verified)" + lamp)
    elif answer["without_power"]:
        yield Finding("vault", GREEN, "SHUT: its memory has no power" + lamp)
    else:
        step = "doorsill vault blank, and see its certificate"
        yield Finding("vault", RED, "SHUT, but not verified blank" + lamp, step)
    if answer.get("watchdog") is False:
        says = "the interlock board gets no pulses, so the memory has no power"
        yield Finding("board", RED, says, PINS)
    yield _reader(answer)


def _reader(answer: dict[str, Any]) -> Finding:
    word, name = answer["reader"], answer["reader_name"]
    if word == "ready":
        return Finding("reader", GREEN, name or "ready")
    if word in READER_STEPS:
        says = name or ("no reader" if word == "missing" else "pcscd does not answer")
        return Finding("reader", RED, says, READER_STEPS[word])
    return Finding(
        "reader", ORANGE, "not known yet", "wait ten seconds, then ask again"
    )


def _step_for(shop: Shop, who: str) -> str:
    if "run as root" in shop.silent.get(who, ""):
        return ROOT
    return f"{START}; journalctl -u doorsill-{who} says why"


def _words(held: Lock) -> str:
    shown = (Lock.SECCOMP, Lock.ROOM)
    return ", ".join(str(each.name).lower() for each in shown if each in held) or "-"
