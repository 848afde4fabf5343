"""The only way to a TFLite interpreter: LiteRT, or tflite-runtime on old systems.

The runtime is chosen by name and is never swapped for another one silently. What may
kill its process is first tried in a child: a delegate (Edge TPU) that does not fit its
runtime, and any model under tflite-runtime, which reads a damaged file past its end
(LiteRT verifies it). Everything that is wrong becomes one :class:`ConfigError`.
"""

from __future__ import annotations

import logging

from doorsill.drivers.model import probe
from doorsill.drivers.model.interpreter import (
    Interpreter,
    check_bytes,
    construct,
    import_runtime,
)
from doorsill.errors import ConfigError

UNVERIFIED = frozenset({"tflite-runtime"})  # 2.14 segfaults on a truncated model
MOST_THREADS = 64  # of one interpreter

log = logging.getLogger(__name__)


def load(
    model: bytes,
    *,
    threads: int = 1,
    runtime: str = "litert",
    delegate: str | None = None,
    allow_fallback: bool = False,
) -> Interpreter:
    """Load a model from its bytes (the caller has checked their SHA-256).

    ``delegate`` is a shared library, such as ``libedgetpu.so.1``. When it does not work
    on this machine that is a :class:`ConfigError`, or, with ``allow_fallback``, a
    warning and the processor's own kernels. Raises :class:`ConfigError` as well where
    the model or the runtime cannot be used.
    """
    check_bytes(model)
    if threads < 1:
        raise ConfigError(f"threads = {threads} is below the minimum of 1")
    if threads > MOST_THREADS:
        raise ConfigError(f"threads = {threads} is above the maximum of {MOST_THREADS}")
    library = import_runtime(runtime)
    if delegate is not None:
        reason = probe.reason_against(model, runtime, delegate)
        if reason is not None and not allow_fallback:
            raise ConfigError(f"the delegate {delegate} cannot be used: {reason}")
        if reason is not None:
            log.warning("%s cannot be used (%s): on the CPU instead", delegate, reason)
            delegate = None
    unproven = delegate is None and runtime in UNVERIFIED
    if unproven and (why := probe.reason_against(model, runtime)):
        raise ConfigError(why)
    return construct(library, model, threads=threads, delegate=delegate)


def load_reference(model: bytes, *, runtime: str = "litert") -> Interpreter:
    """Load with the reference kernels: slow, and equal in every bit on every machine.

    For golden tests only; the default kernels round differently from one processor to
    the next.
    """
    check_bytes(model)
    return construct(import_runtime(runtime), model, reference=True)
