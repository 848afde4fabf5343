"""What ``doorsill check`` says of the machine: kernel, clock, folders, who may read."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from doorsill.config import Config
from doorsill.device import clock, users
from doorsill.device.fault import Fault
from doorsill.documents import pem
from doorsill.documents.reading import read_file
from doorsill.errors import ConfigError
from doorsill.process import locks
from doorsill.process.holder import holder_of

MIB = 1 << 20  # bytes
DISK_LEAST_MIB = 16  # less free space is an error
DISK_SOON_MIB = 128  # less free space is a warning
FILE_S = 5.0  # limit for another user to read a file


def kernel(config: Config, now: datetime) -> Iterator[Fault]:
    """Whether this kernel can hold the processes."""
    offered = locks.probe_locks().held
    if locks.Lock.SECCOMP not in offered:
        says = "this kernel has no seccomp, so no process of doorsill starts"
        yield Fault(says, "use a kernel with CONFIG_SECCOMP_FILTER")
    if locks.Lock.LANDLOCK not in offered:
        yield Fault(
            "this kernel has no landlock: seccomp holds vision, and a mount namespace "
            "of the units or of `doorsill run` holds the others",
            "use a kernel with CONFIG_SECURITY_LANDLOCK and lsm=landlock",
            warning=True,
        )


def time(config: Config, now: datetime) -> Iterator[Fault]:
    """Whether the clock can be right."""
    known = clock.when_written(config.policy_in_force)
    with contextlib.suppress(ConfigError):  # another part reports it
        chain = pem.read_chain(config.broker.certificate)
        known += [each.not_valid_before_utc.timestamp() for each in chain]
    floor = datetime.fromtimestamp(clock.floor_of(known), UTC)
    if now < floor:
        yield Fault(
            f"the clock says {now:%Y-%m-%d %H:%M} UTC, and it is later than "
            f"{floor:%Y-%m-%d %H:%M} for sure",
            "set it: timedatectl; is a time server in reach?",
        )


def folders(config: Config, now: datetime) -> Iterator[Fault]:
    """Whether the folders for state and run can be written, and have room."""
    for name, folder in (("state", config.device.state), ("run", config.device.run)):
        nearest = next(each for each in (folder, *folder.parents) if each.exists())
        if not nearest.is_dir():
            yield Fault(f"device.{name} = {folder}: {nearest} is not a folder")
        elif not os.access(nearest, os.W_OK):
            says = f"device.{name} = {folder}: this user cannot write to {nearest}"
            yield Fault(says, f"chown or chmod {nearest}, or run as root")
        elif name == "state":
            yield from _room(nearest)


def _room(folder: Path) -> Iterator[Fault]:
    free = shutil.disk_usage(folder).free // MIB
    if free < DISK_SOON_MIB:
        says = f"{free} MiB are free under {folder}; it should be {DISK_SOON_MIB}"
        yield Fault(says, f"make room: df {folder}", warning=free >= DISK_LEAST_MIB)


def permissions(config: Config, now: datetime) -> Iterator[Fault]:
    """The files that each unit's user must read, tried as that user; only as root."""
    if os.geteuid() != 0:
        return
    common = (config.controller_key, config.policy_in_force)
    of_broker = (config.broker.certificate, config.broker.ca)
    of_consent = () if config.consent is None else (config.consent.ca,)
    wanted = {
        "doorsill-vision": common,
        "doorsill-uplink": (*common, *of_broker),
        "doorsill-vault": (*common, *of_consent) if of_consent else (),
        "doorsill-policy": (config.controller_key,),
    }
    for user, paths in wanted.items():
        for path in paths:
            if users.is_there(user) and path.exists():
                yield from _readable(user, path)


def _readable(user: str, path: Path) -> Iterator[Fault]:
    try:
        users.run_apart(lambda: read_file(path) and None, FILE_S, user)
    except ConfigError as error:
        step = (
            f"chgrp doorsill {path}; chmod g+r {path}; the same for its folders (g+x)"
        )
        yield Fault(f"{user}: {error}", step)


def running(config: Config, now: datetime) -> Iterator[Fault]:
    """Whether doorsill runs here; a second `doorsill run` would be refused."""
    for name in ("vision", "uplink"):
        pid = holder_of(config.declaration(name))
        if pid is not None:
            yield Fault(
                f"doorsill runs here already (pid {pid}); the camera was not opened",
                "doorsill status says how it is; a second `doorsill run` is refused",
                warning=True,
            )
            return
