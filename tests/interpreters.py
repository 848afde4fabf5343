"""A drivable interpreter, and real models bent in their bytes into other forms."""

import struct

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from doorsill.drivers.runtime import Output, Tensor


class FakeInterpreter:
    """Shows what was written into its input; gives the outputs it was told to give."""

    def __init__(self, shape=(1, 256, 320, 3), dtype=np.int8, outputs=(), post=()):
        self.memory = np.full(shape, 99, dtype)
        self._seen = self.memory.copy()
        self.input = Tensor("input", shape, np.dtype(dtype), 1 / 255, -128)
        self.post_process = tuple(post)
        self.invoked = 0
        self.say(*outputs)

    def say(self, *values):
        """Give ``values`` as outputs from now on."""
        self._outputs = tuple(
            Output(Tensor(f"output:{i}", v.shape, v.dtype, 0.0, 0), v)
            for i, v in enumerate(values)
        )

    def picture(self) -> np.ndarray:
        """What the input held when the model was run last, as RGB bytes."""
        return self._seen[0].view(np.uint8) ^ np.uint8(
            128 * (self.memory.dtype == np.int8)
        )

    def input_view(self):
        return self.memory

    def invoke(self):
        self.invoked += 1
        np.copyto(self._seen, self.memory)

    def outputs(self):
        return self._outputs


def ssd_results(boxes, scores, classes=None, count=None):
    """The four results of the post-process for boxes as x0, y0, x1, y1."""
    n = len(scores)
    corners = np.array(boxes, np.float32).reshape(1, n, 4)[..., [1, 0, 3, 2]]
    labels = np.zeros((1, n)) if classes is None else np.array(classes).reshape(1, n)
    return (
        corners,
        labels.astype(np.float32),
        np.array(scores, np.float32).reshape(1, n),
        np.array([n if count is None else count], np.float32),
    )


def with_outputs(model: bytes, outputs: list[int]) -> bytes:
    """A TFLite file whose first graph gives these tensors, by number, instead."""
    graph = schema.Model.GetRootAs(model, 0).Subgraphs(0)
    length = graph._tab.Vector(graph._tab.Offset(8)) - 4
    if len(outputs) > graph.OutputsLength():
        raise ValueError("a vector in a flatbuffer cannot grow")
    bent = bytearray(model)
    struct.pack_into(f"<I{len(outputs)}i", bent, length, len(outputs), *outputs)
    return bytes(bent)


def results_of_post_process(model: bytes) -> list[int]:
    """The numbers of the four result tensors."""
    graph = schema.Model.GetRootAs(model, 0).Subgraphs(0)
    last = graph.Operators(graph.OperatorsLength() - 1)
    return [int(each) for each in last.OutputsAsNumpy()]


def inputs_of_post_process(model: bytes) -> list[int]:
    """The numbers of the raw box encodings and the class predictions."""
    graph = schema.Model.GetRootAs(model, 0).Subgraphs(0)
    last = graph.Operators(graph.OperatorsLength() - 1)
    return [int(each) for each in last.InputsAsNumpy()[:2]]
