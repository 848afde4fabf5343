"""A drivable interpreter, and the results that a finished detector would give."""

import numpy as np

from doorsill.drivers.model.graph import Ends
from doorsill.drivers.model.interpreter import Output, Tensor


class FakeInterpreter:
    """Shows what was written into its input; gives the outputs it was asked to give."""

    def __init__(
        self,
        shape=(1, 256, 320, 3),
        dtype=np.int8,
        outputs=(),
        post=(),
        names=(),
        ends=None,
    ):
        self.memory = np.full(shape, 99, dtype)
        self.seen = self.memory.copy()
        self.input = Tensor("input", shape, np.dtype(dtype), 1 / 255, -128)
        self.post_process = tuple(post)
        self.ends = ends or Ends()
        self._names = tuple(names)
        self.invoked = 0
        self.say(*outputs)

    def say(self, *values):
        """Give ``values`` as outputs from now on."""
        self._outputs = tuple(
            Output(Tensor(name, v.shape, v.dtype, 0.0, 0), v)
            for name, v in zip(self._output_names(values), values, strict=True)
        )

    def _output_names(self, values):
        return self._names or [f"output:{i}" for i in range(len(values))]

    def picture(self) -> np.ndarray:
        """What the input held when the model was run last, as RGB bytes."""
        return self.seen[0].view(np.uint8) ^ np.uint8(
            128 * (self.memory.dtype == np.int8)
        )

    def input_view(self):
        return self.memory

    def invoke(self):
        self.invoked += 1
        np.copyto(self.seen, self.memory)

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
