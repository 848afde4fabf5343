"""How late the board's pulses come, and what they cost: ``make bench ONLY=watchdog``.

The vault's own thread on a pin in memory, beside a loop that seals crops, with the
priority of the vault's unit (root alone can take it). Once as it is, once beside two
busy processes for each processor. A board bridges 26 ms at least (hw/README.md). What
the kernel takes for two changes of a real line is not in it.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise

from bench.rows import Row
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from limits import END_S

from doorsill.drivers.gpio.fake import FakeOutput
from doorsill.drivers.gpio.watchdog import WatchdogLine
from doorsill.vault.watchdog import PERIOD_S, Watchdog

SECONDS = 10.0  # of each run
PRIORITY = -5  # Nice= of doorsill-vault.service
CROP = bytes(57_600)  # 160 x 120 pixels
CROPS_EACH_S = 0.08
BRIDGED_MS = 26.0
BUSY = "while True: sum(range(10000))"


def pulses() -> Iterator[Row]:
    """Gaps between two pulses, alone and beside busy processes; processor time."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    yield _row("as the machine is")
    command = ["nice", "-n", str(-PRIORITY), sys.executable, "-c", BUSY]
    busy = [subprocess.Popen(command) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        yield _row("beside two busy processes a core")
    finally:
        for each in busy:
            each.kill()
            each.wait(END_S)


def _row(how: str) -> Row:
    output = FakeOutput()
    watchdog = Watchdog(WatchdogLine(output), lambda reason: None)
    cipher, spent = AESGCM(bytes(32)), time.thread_time()
    whole, ends = time.process_time(), time.monotonic() + SECONDS
    while time.monotonic() < ends:
        watchdog.feed()
        cipher.encrypt(bytes(12), CROP, None)
        time.sleep(CROPS_EACH_S)
    share = time.process_time() - whole - (time.thread_time() - spent)
    watchdog.close()
    gaps = sorted(1e3 * (b - a) for a, b in pairwise(output.rises))
    half, rare = statistics.median(gaps), gaps[-len(gaps) // 100]
    return Row(
        f"pulses of the board, ms between two, {how}",
        f"half {half:.1f}, 99 % {rare:.1f}, all {len(gaps)} {gaps[-1]:.1f}; "
        f"{share / SECONDS:.2%} of a core",
        target=f"<= {BRIDGED_MS:g} ms, each {PERIOD_S * 1e3:g}",
        ok=gaps[-1] <= BRIDGED_MS,
    )
