"""Which output of somebody else's detector is what.

Asked in this order, since exporters agree neither on the order nor on the names: the
post-processing operation itself, the metadata, the names, the shapes, and the numbers
that come out. Where none of them says it, a ConfigError says what was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from doorsill.drivers.model.graph import POST_PROCESS
from doorsill.drivers.model.interpreter import Interpreter, Output
from doorsill.errors import ConfigError
from doorsill.models.manifest import Overrides
from doorsill.models.stated import Coding, Stated
from doorsill.vision.detect.anchors import by_rule, coding_of
from doorsill.vision.detect.looks_like import look_of
from doorsill.vision.detect.person_label import person_class, person_column
from doorsill.vision.detect.ssd import (
    LOWEST_SCORE,
    BoxForm,
    RawDecoder,
    SsdDecoder,
    x_comes_first,
)

NAMES = {
    "classes": ("class", "categor", "label"),
    "scores": ("score", "conf", "prob"),
}
SQUEEZERS = ("LOGISTIC", "SOFTMAX")  # operations whose results lie in 0..1
CORNERS = 0.99  # share of boxes that end after they begin, from which they are corners
MOST_OF_ONE_KIND = 2  # columns of scores of a detector of one kind, with a background
PIXEL_NOISE_SEED = 8  # of the noise that a model is tried with


@dataclass(slots=True)
class Layout:
    """A decoder, and how it was chosen, in words for the user."""

    decode: SsdDecoder | RawDecoder
    words: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)  # what was assumed


def layout_of(
    interpreter: Interpreter,
    said: Stated | None = None,
    overrides: Overrides | None = None,
    lowest_score: float = LOWEST_SCORE,
) -> Layout:
    """How to decode a loaded model; raises ConfigError where nothing says it.

    ``said`` is what the file says, ``overrides`` what its manifest says instead.
    """
    reader = _Reader(
        interpreter, said or Stated(), overrides or Overrides(), lowest_score
    )
    return reader.layout()


class _Reader:
    def __init__(
        self,
        interpreter: Interpreter,
        said: Stated,
        overrides: Overrides,
        lowest: float,
    ) -> None:
        self._net, self._said, self._overrides = interpreter, said, overrides
        self._lowest = lowest
        self._outputs = interpreter.outputs()
        self._shapes = [_plain(output.tensor.shape) for output in self._outputs]
        height, width = interpreter.input.shape[1:3]
        self._size = (width, height)

    def layout(self) -> Layout:
        order = self._net.post_process
        if len(order) == 4:
            return self._operation_layout((order[0], order[1], order[2], order[3]))
        for boxes in self._boxes():
            vectors, tables = self._beside(boxes)
            if len(vectors) >= 2:
                return self._finished_layout(boxes, vectors)
            if not tables and vectors:
                self._require_one_kind()
            if tables or vectors:
                return self._raw_layout(boxes, (tables or vectors)[0])
        raise ConfigError(f"the model gives {self._found()}: {look_of(self._shapes)}")

    def _require_one_kind(self) -> None:
        """Raise ConfigError where the file lacks the classes of what it found."""
        kinds = self._net.ends.kinds
        if kinds > MOST_OF_ONE_KIND:
            raise ConfigError(
                f"the model gives {self._found()}, and not the classes that its"
                f" {POST_PROCESS} finds, of {kinds}: nobody knows which of them are"
                " people; export it with all results"
            )

    def _operation_layout(self, order: tuple[int, int, int, int]) -> Layout:
        boxes, classes, scores = (self._shapes[each] for each in order[:3])
        n = boxes[-2] if len(boxes) > 1 else 0
        same = prod(classes) == prod(scores) == n
        if boxes != (1, n, 4) or not same or not n:
            raise ConfigError(
                f"the model gives {self._found()}, an SSD gives 1 x n x 4, 1 x n,"
                " 1 x n and 1"
            )
        words = [f"finished by {POST_PROCESS}: at most {n} things"]
        return self._ssd(order, words, BoxForm(self._size))

    def _finished_layout(self, boxes: int, vectors: list[int]) -> Layout:
        classes = self._find_named("classes", vectors)
        scores = self._find_named("scores", vectors)
        if len(vectors) > 2 and (classes is None or scores is None):
            raise ConfigError(
                f"the model gives {self._found()}, and neither names nor metadata say"
                " which of them are classes and scores"
            )
        unsettled = classes is None and scores is None
        if classes is None:
            classes = next(each for each in vectors if each != scores)
        if scores is None:
            scores = next(each for each in vectors if each != classes)
        ones = [i for i, shape in enumerate(self._shapes) if prod(shape) == 1]
        count = ones[0] if ones and ones[0] not in vectors else -1
        words = ["finished: boxes, classes and scores by their shapes and names"]
        if unsettled:
            words = ["finished: classes and scores by their numbers"]
        order = boxes, classes, scores, count
        layout = self._ssd(order, words, self._form(), unsettled)
        # Behind the operation, or without one, classes may be numbered in any way.
        if not self._said.labels and self._overrides.person is None:
            layout.doubts.append(
                "nothing says which of its classes is a person: class 0 is taken; a"
                " manifest can say otherwise (person = N)"
            )
        return layout

    def _ssd(
        self,
        order: tuple[int, int, int, int],
        words: list[str],
        form: BoxForm,
        unsettled: bool = False,
    ) -> Layout:
        person = self._overrides.person
        if person is None:
            person, why = person_class(self._said.labels, self._net.ends.kinds)
            words.append(f"people are class {person}{why}")
        decode = SsdDecoder(order, form, person, self._lowest, unsettled)
        return Layout(decode, words)

    def _raw_layout(self, boxes: int, scores: int) -> Layout:
        n = prod(self._shapes[boxes]) // 4
        columns = prod(self._shapes[scores]) // n
        column = self._overrides.person
        words = []
        if column is None:
            column, why = person_column(self._said.labels, columns)
            words = [f"people are column {column} of {columns}{why}"]
        if not 0 <= column < columns:
            raise ConfigError(f"person = {column}, but there are {columns} columns")
        sample = self._sample()
        coding, how = self._coding(n, sample[boxes])
        logits = self._are_logits(scores, sample[scores], coding)
        form = self._form(sample[boxes]) if coding is None else self._form()
        words += [how, "scores are logits" if logits else "scores are shares"]
        decode = RawDecoder(
            boxes=boxes,
            scores=scores,
            columns=columns,
            column=column,
            form=form,
            coding=coding,
            logits=logits,
            lowest_score=self._lowest,
        )
        return Layout(decode, words)

    def _coding(self, n: int, boxes: Output) -> tuple[Coding | None, str]:
        said = self._said.coding
        if said is not None and len(said.anchors) != n:
            raise ConfigError(
                f"the model gives {n} boxes, its metadata {len(said.anchors)} anchors"
            )
        if said is not None:
            return said, f"{n} raw boxes, anchors from the metadata"
        chosen = self._overrides.anchors
        if chosen:
            coding = by_rule(chosen, self._size, self._overrides.anchor_scale)
            if len(coding.anchors) != n:
                raise ConfigError(
                    f"the model gives {n} boxes; the rule {chosen} makes"
                    f" {len(coding.anchors)} anchors"
                )
            return coding, f"{n} raw boxes, anchors by the rule {chosen}"
        rows = boxes.real().reshape(-1, 4)
        if (rows[:, 2:] > rows[:, :2]).all(axis=1).mean() >= CORNERS:
            return None, f"{n} boxes without anchors"
        if self._said.box_form in ("upper left", "centre"):
            return None, f"{n} boxes without anchors, as the metadata says"
        rule = coding_of(n, self._size)
        if rule is None:
            width, height = self._size
            raise ConfigError(
                f"the model gives {self._found()}: {n} boxes relative to anchors that"
                f" no known rule makes for {width} x {height} (ssd, retina,"
                " efficientdet) and that the file does not hold: export it with"
                " post-processing"
            )
        name, coding = rule
        return coding, f"{n} raw boxes, anchors by the rule {name}"

    def _are_logits(self, which: int, sample: Output, coding: Coding | None) -> bool:
        if coding is not None and coding.sigmoid is not None:
            return coding.sigmoid
        makers = self._net.ends.makers
        if makers and makers[which] in SQUEEZERS:
            return False
        values = sample.real()
        return bool(values.min() < 0 or values.max() > 1)

    def _form(self, sample: Output | None = None) -> BoxForm:
        said = self._said
        if said.box_form:
            order = said.box_order or (0, 1, 2, 3)
            return BoxForm(self._size, order, said.box_form, said.pixels or None)
        if sample is not None and x_comes_first(sample.real().reshape(-1, 4)):
            return BoxForm(self._size, (0, 1, 2, 3))
        return BoxForm(self._size)

    def _boxes(self) -> list[int]:
        """Outputs that may be boxes; those called raw come last."""
        found = [
            i
            for i, shape in enumerate(self._shapes)
            if len(shape) > 1 and shape[-1] == 4 and prod(shape) == 4 * shape[-2] > 4
        ]
        return sorted(found, key=lambda i: "raw" in self._name(i))

    def _beside(self, boxes: int) -> tuple[list[int], list[int]]:
        """Outputs with one number, and with several, for each of ``boxes``."""
        n = self._shapes[boxes][-2]
        others = [(i, s) for i, s in enumerate(self._shapes) if i != boxes]
        vectors = [i for i, s in others if prod(s) == n and n in s]
        tables = [
            i
            for i, s in others
            if len(s) > 1 and s[-2] == n and prod(s) == n * s[-1] and s[-1] > 1
        ]
        return vectors, tables

    def _find_named(self, what: str, among: Sequence[int]) -> int | None:
        """The one output whose name or type says that it is ``what``."""
        words = NAMES[what]
        found = [i for i in among if any(word in self._name(i) for word in words)]
        if not found and what == "classes":
            found = [i for i in among if self._is_integer(i)]
        return found[0] if len(found) == 1 else None

    def _is_integer(self, output: int) -> bool:
        """Whether an output holds integers that stand for themselves."""
        tensor = self._outputs[output].tensor
        return tensor.dtype.kind == "i" and not tensor.scale

    def _name(self, output: int) -> str:
        """The name that the metadata gives, or else the tensor itself."""
        names = self._said.outputs
        if len(names) == len(self._outputs):
            return names[output]
        return self._outputs[output].tensor.name.lower()

    def _sample(self) -> tuple[Output, ...]:
        """What the model gives for noise: numbers of the kind that it gives."""
        view = self._net.input_view()
        noise = np.random.default_rng(PIXEL_NOISE_SEED)
        if view.dtype.kind == "f":
            view[...] = noise.uniform(-1, 1, view.shape)
        else:
            view[...] = noise.integers(0, 256, view.shape, np.uint8).view(view.dtype)
        del view
        self._net.invoke()
        return self._net.outputs()

    def _found(self) -> str:
        return " and ".join(" x ".join(map(str, shape)) for shape in self._shapes)


def _plain(shape: tuple[int, ...]) -> tuple[int, ...]:
    """``shape`` without a side of 1 before its last: 1 x n x 1 x 4 is 1 x n x 4."""
    if len(shape) == 4 and shape[2] == 1 and shape[1] > 1:
        return (shape[0], shape[1], shape[3])
    return shape
