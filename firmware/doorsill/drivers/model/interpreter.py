"""A TFLite interpreter, built and warmed; what goes wrong is one sentence."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from doorsill.drivers.model.graph import Ends, Graph
from doorsill.errors import ConfigError
from doorsill.models.recognise import MODEL_MAX_BYTES, recognise

RUNTIMES = {
    "litert": ("ai_edge_litert.interpreter", "ai-edge-litert"),
    "tflite-runtime": ("tflite_runtime.interpreter", "tflite-runtime"),
}
IDENTIFIER = b"TFL3"  # bytes 4..8 of every TFLite flatbuffer
EDGE_TPU = "edgetpu-custom-op"  # operation of a model that was compiled for it
OPEN_SIDE = 320  # side of an input whose size the model leaves open, pixels


@dataclass(frozen=True, slots=True)
class Tensor:
    """What an input or output holds: real = scale * (stored - zero_point)."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float  # 0.0: not quantised, the stored value is the real one
    zero_point: int


class Output(NamedTuple):
    """One output of one invoke; ``values`` is a copy and stays valid."""

    tensor: Tensor
    values: NDArray[Any]

    def real(self) -> NDArray[np.float32]:
        """The values with the quantisation undone, as float32."""
        if self.tensor.scale == 0.0:
            return self.values.astype(np.float32, copy=False)
        shifted = self.values.astype(np.float32) - np.float32(self.tensor.zero_point)
        return shifted * np.float32(self.tensor.scale)


class Interpreter(Protocol):
    """A loaded model with one input."""

    @property
    def input(self) -> Tensor:
        """Shape, type and quantisation of the input."""

    @property
    def post_process(self) -> tuple[int, ...]:
        """Where the four results of an SSD's post-process lie among the outputs.

        As boxes, classes, scores, count; -1 for a count that is not among them. Empty
        when the model has no such operation.
        """

    @property
    def ends(self) -> Ends:
        """What the graph itself shows of its input and outputs."""

    def input_view(self) -> NDArray[Any]:
        """The input's own memory, writable; drop it before :meth:`invoke`."""

    def invoke(self) -> None:
        """Run the model on what lies in the input."""

    def outputs(self) -> tuple[Output, ...]:
        """The results of the last :meth:`invoke`, in the order of the model."""


def import_runtime(name: str) -> ModuleType:
    """The runtime's interpreter module, or a sentence on why it cannot be had."""
    if name not in RUNTIMES:
        raise ConfigError(f"runtime = {name!r} is none of {', '.join(RUNTIMES)}")
    module, package = RUNTIMES[name]
    # Built against numpy 1: its import succeeds and its first Interpreter dies.
    if name == "tflite-runtime" and int(np.__version__.split(".")[0]) >= 2:
        raise ConfigError(
            f"runtime = 'tflite-runtime' needs numpy < 2, here is numpy "
            f"{np.__version__}: use litert, or install doorsill[legacy] in Python 3.11"
        )
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"runtime = {name!r} needs the package {package}: {error}"
        ) from error


def construct(
    library: ModuleType,
    model: bytes,
    *,
    threads: int = 1,
    delegate: str | None = None,
    reference: bool = False,
) -> Interpreter:
    """Build and warm an interpreter; everybody else calls :func:`load`.

    Raises ConfigError where the runtime does not take the model.
    """
    resolver = library.OpResolverType
    try:
        with hide_notes():
            interpreter = library.Interpreter(
                model_content=model,
                num_threads=threads,
                experimental_op_resolver_type=(
                    resolver.BUILTIN_REF if reference else resolver.AUTO
                ),
                experimental_delegates=(
                    [library.load_delegate(delegate)] if delegate is not None else None
                ),
            )
            _settle_shape(interpreter, model)
            interpreter.allocate_tensors()
            interpreter.invoke()  # some models know their output shapes only now
    except (ValueError, RuntimeError, SystemError, OSError) as error:
        raise ConfigError(_why_not(error)) from error
    return _TFLite(interpreter)


def _settle_shape(interpreter: Any, model: bytes) -> None:
    """Set the input to one picture; an open side is as the file says, or OPEN_SIDE."""
    from doorsill.models.stated import read_stated

    details = interpreter.get_input_details()
    shape = [int(side) for side in details[0]["shape"]]
    signature = [int(side) for side in details[0].get("shape_signature", shape)]
    if len(details) != 1 or len(shape) != 4:
        return
    wanted = [1, *shape[1:3], 3 if signature[3] == -1 else shape[3]]
    if -1 in signature[1:3]:
        width, height = read_stated(model).size or (OPEN_SIDE, OPEN_SIDE)
        open_sides = zip(signature[1:3], (height, width), shape[1:3], strict=True)
        wanted[1:3] = [ours if side == -1 else own for side, ours, own in open_sides]
    if wanted != shape:
        interpreter.resize_tensor_input(details[0]["index"], wanted)


def _why_not(error: BaseException) -> str:
    """Why the runtime refused the model, and what to do, where that is known."""
    said = str(error)
    custom = re.search(r"unresolved custom op: ([\w-]+)", said)
    if custom and custom[1] == EDGE_TPU:
        return (
            "the model was compiled for an Edge TPU and runs on nothing else: name the"
            " Edge TPU's library as the delegate (libedgetpu.so.1), or take the file"
            " that was there before edgetpu_compiler"
        )
    if flex := re.search(r"\bFlex\w+", said):
        return (
            f"the model needs {flex[0]}, an operation of TensorFlow itself: convert it"
            " without SELECT_TF_OPS"
        )
    if custom:
        return f"the model needs {custom[1]}, an operation that this runtime has not"
    return f"the model cannot be loaded: {_sentence(error)}"


@contextmanager
def hide_notes() -> Iterator[None]:
    """Keep the runtime's lines that begin with INFO from stderr; show all others.

    The runtime has no switch for them, and writes them from C++, past Python.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    os.dup2(writer, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(writer)
        os.close(kept)
        with os.fdopen(reader, "rb") as said:
            shown = [line for line in said if not line.startswith(b"INFO: ")]
        os.write(2, b"".join(shown))


class _TFLite:
    """Both runtimes have the same Python surface; this is the part that we use."""

    __slots__ = (
        "_indices",
        "_input_index",
        "_interpreter",
        "_tensors",
        "_view",
        "input",
    )

    def __init__(self, interpreter: Any) -> None:
        inputs = interpreter.get_input_details()
        if len(inputs) != 1:
            raise ConfigError(f"the model has {len(inputs)} inputs, 1 is possible")
        details = interpreter.get_output_details()
        self._interpreter = interpreter
        self.input = _tensor(inputs[0])
        self._input_index = inputs[0]["index"]
        self._view = interpreter.tensor(self._input_index)
        self._tensors = tuple(map(_tensor, details))
        self._indices = tuple(detail["index"] for detail in details)

    @property
    def post_process(self) -> tuple[int, ...]:
        return self._graph().post_process()

    @property
    def ends(self) -> Ends:
        return self._graph().ends()

    def _graph(self) -> Graph:
        """Asked of the library each time, as few models need it."""
        net = self._interpreter
        return Graph(
            net._get_ops_details(),
            net.get_tensor_details,
            self._input_index,
            self._indices,
        )

    def input_view(self) -> NDArray[Any]:
        view: NDArray[Any] = self._view()
        return view

    def invoke(self) -> None:
        self._interpreter.invoke()

    def outputs(self) -> tuple[Output, ...]:
        get = self._interpreter.get_tensor
        return tuple(map(Output, self._tensors, map(get, self._indices)))


def _tensor(detail: dict[str, Any]) -> Tensor:
    scale, zero_point = detail["quantization"]
    shape = tuple(map(int, detail["shape"]))
    dtype = np.dtype(detail["dtype"])
    return Tensor(detail["name"], shape, dtype, float(scale), int(zero_point))


def check_bytes(model: bytes) -> None:
    """Raise a ConfigError that says what ``model`` is where it is no TFLite file."""
    if len(model) > MODEL_MAX_BYTES:
        limit = f"the limit of {MODEL_MAX_BYTES} bytes"
        raise ConfigError(f"the model has {len(model)} bytes, above {limit}")
    if model[4:8] != IDENTIFIER:
        raise ConfigError(f"not a TFLite model but {recognise(model)}")


def _sentence(error: BaseException) -> str:
    lines = [line.strip(" .") for line in str(error).splitlines() if line.strip()]
    return ": ".join(lines[:2]) or type(error).__name__
