"""Try a model or a delegate in a child process, because a bad one kills its process.

Run as ``python -m doorsill.drivers.model.probe RUNTIME [DELEGATE]`` with the model on
stdin: it ends with 0 when the model ran once; otherwise stderr says why not.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from functools import lru_cache

from doorsill.errors import ConfigError

PROBE_TIMEOUT_S = 30.0  # a trial takes this long at most
_REASON = "reason: "


@lru_cache(maxsize=2)
def reason_against(
    model: bytes, runtime: str, delegate: str | None = None
) -> str | None:
    """Why ``model`` cannot run here, on ``delegate``; ``None`` when it ran.

    A second call answers from memory: a process that has confined itself can no longer
    start a child.
    """
    command = [sys.executable, "-m", __name__, runtime]
    command += [delegate] if delegate is not None else []
    try:
        done = subprocess.run(
            command,
            input=model,
            capture_output=True,
            timeout=PROBE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it gave no answer within {PROBE_TIMEOUT_S:.0f} s"
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return f"a trial of it crashes {runtime} with {name}"
    for line in done.stderr.decode(errors="replace").splitlines():
        if line.startswith(_REASON):
            return line.removeprefix(_REASON)
    return f"its trial ended with {done.returncode}"


def require_sound(model: bytes, runtime: str) -> bytes:
    """``model`` if it runs in a child, else ConfigError. For models that are not ours.

    A model with one wrong byte can abort the process that loads it, without a message.
    """
    reason = reason_against(model, runtime)
    if reason is not None:
        raise ConfigError(reason)
    return model


def _main(runtime: str, delegate: str | None = None) -> int:
    from doorsill.drivers.model.interpreter import (
        check_bytes,
        construct,
        import_runtime,
    )

    model = sys.stdin.buffer.read()
    try:
        check_bytes(model)
        library = import_runtime(runtime)
        construct(library, model, delegate=delegate).invoke()
    except ConfigError as error:
        sys.stderr.write(f"{_REASON}{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:3]))
