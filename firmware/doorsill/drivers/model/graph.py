"""What a model's graph shows of its two ends, for a file that says nothing else.

Exporters agree neither on names nor on the order of outputs; the operations show them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

POST_PROCESS = "TFLite_Detection_PostProcess"  # operation that ends an SSD
DELEGATE = "DELEGATE"  # operation that stands for all those a delegate runs
# Operations that hand numbers on as they are, in another shape or type.
PASSING = frozenset(
    {
        "CAST",
        "CONCATENATION",
        "DEQUANTIZE",
        "EXPAND_DIMS",
        "IDENTITY",
        "QUANTIZE",
        "RESHAPE",
        "SQUEEZE",
    }
)
BYTES = (np.uint8, np.int8)  # types of a quantised tensor

Details = Sequence[dict[str, Any]]  # as a TFLite interpreter gives them


class Ends(NamedTuple):
    """What the graph does with its input first, and to its outputs last."""

    takes: str = ""  # the operation that the input goes into
    range: tuple[float, float] | None = None  # real numbers that it can take
    makers: tuple[str, ...] = ()  # the operation that made each output's numbers
    kinds: int = 0  # columns of scores that an SSD's post-process takes; 0: it has none


@dataclass(frozen=True, slots=True)
class Graph:
    """The operations of a loaded model; tensors are named by their numbers."""

    operations: Details
    tensors: Callable[[], Details]  # thousands of them: asked for only if needed
    input: int
    outputs: tuple[int, ...]

    def post_process(self) -> tuple[int, ...]:
        """Where the four results of an SSD's post-process lie among the outputs.

        As boxes, classes, scores, count; -1 for a count that is not among them. Empty
        when the model has no such operation.
        """
        sources = [self._source(index) for index in self.outputs]
        for operation in self._own():
            if operation["op_name"] == POST_PROCESS:
                results = list(map(int, operation["outputs"]))
                if set(results[:3]) <= set(sources):
                    return tuple(
                        sources.index(each) if each in sources else -1
                        for each in results
                    )
        return ()

    def ends(self) -> Ends:
        """The first operation and the last ones."""
        makers = [self._maker(self._source(index)) for index in self.outputs]
        names = tuple(each["op_name"] if each else "" for each in makers)
        kinds = self._kinds()
        first = next((op for op in self._own() if self.input in op["inputs"]), None)
        if first is None:
            return Ends("", None, names, kinds)
        quantised = first["op_name"] == "QUANTIZE"
        made = self._range(int(first["outputs"][0])) if quantised else None
        return Ends(first["op_name"], made, names, kinds)

    def _kinds(self) -> int:
        """The last side of what the post-process takes as scores, its second input."""
        taken = [op["inputs"] for op in self._own() if op["op_name"] == POST_PROCESS]
        if not taken or len(taken[0]) < 2:
            return 0
        scores = int(taken[0][1])
        for each in self.tensors():
            if each["index"] == scores and len(each["shape"]):
                return int(each["shape"][-1])
        return 0

    def _own(self) -> list[dict[str, Any]]:
        """The model's own operations; those that a delegate runs are still listed."""
        return [op for op in self.operations if op["op_name"] != DELEGATE]

    def _range(self, index: int) -> tuple[float, float] | None:
        """The smallest and the largest real number that a quantised tensor can hold."""
        for detail in self.tensors():
            scale, zero = detail["quantization"]
            if detail["index"] == index and scale and detail["dtype"] in BYTES:
                ends = np.iinfo(detail["dtype"])
                return scale * (ends.min - zero), scale * (ends.max - zero)
        return None

    def _source(self, index: int) -> int:
        """The tensor whose numbers arrive at ``index`` with nothing done to them."""
        for _ in self.operations:  # the graph of a hostile file may be a circle
            made = self._maker(index)
            if (
                made is None
                or made["op_name"] not in PASSING
                or not len(made["inputs"])
            ):
                break
            index = int(made["inputs"][0])
        return index

    def _maker(self, index: int) -> dict[str, Any] | None:
        return next((op for op in self._own() if index in op["outputs"]), None)
