"""A real detector bent into the forms in which the field ships its own.

LiteRT brings the schema with an object API: a file is unpacked, changed and packed
again. Metadata (MediaPipe's, Model Maker's) is written by hand, table by table.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

FLOAT32, INT32, UINT8 = 0, 2, 3  # TensorType
CAST, QUANTIZE, CUSTOM, RESHAPE = 53, 114, 32, 22  # BuiltinOperator
METADATA = b"TFLITE_METADATA"


def changed(model: bytes, change: Callable[[schema.ModelT], None]) -> bytes:
    """The file after ``change`` was done to it."""
    unpacked = schema.ModelT.InitFromPackedBuf(model, 0)
    change(unpacked)
    builder = flatbuffers.Builder(len(model) + 4096)
    builder.Finish(unpacked.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def ends(model: bytes) -> tuple[int, list[int], list[int]]:
    """The numbers of the input, of what goes into the last operation, and out of it."""
    graph = schema.ModelT.InitFromPackedBuf(model, 0).subgraphs[0]
    last = graph.operators[-1]
    return graph.inputs[0], list(last.inputs), list(last.outputs)


def with_results(model: bytes, which: Sequence[int]) -> bytes:
    """The four results of the post-process in another order, or fewer of them."""
    results = ends(model)[2]

    def change(unpacked):
        unpacked.subgraphs[0].outputs = [results[each] for each in which]

    return changed(model, change)


def raw(model: bytes, *, scores_first: bool = False) -> bytes:
    """Without its post-processing operation: boxes and scores as the network says."""
    _, given, _ = ends(model)

    def change(unpacked):
        graph = unpacked.subgraphs[0]
        graph.operators.pop()
        graph.outputs = given[1::-1] if scores_first else given[:2]

    return changed(model, change)


def raw_in_rows(model: bytes) -> bytes:
    """Raw, with its boxes as 1 x n x 1 x 4: the first detectors were shipped so."""

    def change(unpacked):
        graph = unpacked.subgraphs[0]
        old = graph.outputs[0]
        boxes = graph.tensors[old]
        shape = [1, boxes.shape[1], 1, 4]
        made = _tensor(unpacked, "concat", shape, boxes.type)
        graph.tensors[made].quantization = boxes.quantization
        unpacked.buffers.append(schema.BufferT())
        unpacked.buffers[-1].data = np.array(shape, "<i4").view(np.uint8)
        sides = _tensor(unpacked, "sides", [4], INT32)
        graph.tensors[sides].buffer = len(unpacked.buffers) - 1
        graph.operators.append(_operator(unpacked, RESHAPE, [old, sides], [made]))
        graph.outputs = [made, *graph.outputs[1:]]

    return changed(raw(model), change)


def with_float_input(model: bytes) -> bytes:
    """Takes float32 and quantises it at once, as converters leave it by default."""

    def change(unpacked):
        graph = unpacked.subgraphs[0]
        old = graph.inputs[0]
        made = _tensor(unpacked, "serving_default_images:0", graph.tensors[old].shape)
        graph.operators.insert(0, _operator(unpacked, QUANTIZE, [made], [old]))
        graph.inputs = [made]

    return changed(model, change)


def with_whole_classes(model: bytes) -> bytes:
    """Gives classes as int32, by one more operation after the last."""

    def change(unpacked):
        graph = unpacked.subgraphs[0]
        old = graph.outputs[1]
        made = _tensor(unpacked, "classes", graph.tensors[old].shape, INT32)
        graph.operators.append(_operator(unpacked, CAST, [old], [made]))
        graph.outputs = [made if each == old else each for each in graph.outputs]

    return changed(model, change)


def with_open_sides(model: bytes, signature: Sequence[int]) -> bytes:
    """Leaves the sides open that are -1 in ``signature``; the file holds 1 there."""

    def change(unpacked):
        graph = unpacked.subgraphs[0]
        tensor = graph.tensors[graph.inputs[0]]
        tensor.shapeSignature = list(signature)
        tensor.shape = [1 if side == -1 else side for side in signature]

    return changed(model, change)


def with_custom_operation(model: bytes, name: str) -> bytes:
    """Its last operation is ``name``, which no runtime brings along."""

    def change(unpacked):
        last = unpacked.subgraphs[0].operators[-1]
        unpacked.operatorCodes[last.opcodeIndex].customCode = name.encode()

    return changed(model, change)


def for_edge_tpu(model: bytes) -> bytes:
    """As edgetpu_compiler leaves an SSD: one operation, then the post-process."""

    def change(unpacked):
        graph = unpacked.subgraphs[0]
        last = graph.operators[-1]
        made = _operator(unpacked, CUSTOM, [graph.inputs[0]], list(last.inputs[:2]))
        unpacked.operatorCodes[-1].customCode = b"edgetpu-custom-op"
        graph.operators = [made, last]

    return changed(model, change)


def with_metadata(model: bytes, metadata: bytes) -> bytes:
    """With a metadata buffer, as MediaPipe and Model Maker put it."""

    def change(unpacked):
        unpacked.buffers.append(schema.BufferT())
        unpacked.buffers[-1].data = np.frombuffer(metadata, np.uint8)
        entry = schema.MetadataT()
        entry.name, entry.buffer = METADATA, len(unpacked.buffers) - 1
        unpacked.metadata = [*(unpacked.metadata or []), entry]

    return changed(model, change)


def with_labels_behind(model: bytes, labels: Sequence[str]) -> bytes:
    """With a zip of its labels behind, as the metadata writers put it."""
    whole = io.BytesIO(model)
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labelmap.txt", "\n".join(labels))
    return whole.getvalue()


def metadata(
    *,
    mean: Sequence[float] = (),
    deviation: Sequence[float] = (),
    size: tuple[int, int] | None = None,
    outputs: Sequence[str] = (),
    box_order: Sequence[int] = (),
    anchors: np.ndarray | None = None,
    scales: Sequence[float] = (10, 10, 5, 5),
    sigmoid: bool = False,
) -> bytes:
    """A metadata flatbuffer; ``scales`` are of x, y, width and height."""
    builder = flatbuffers.Builder(1 << 16)
    units = []
    if mean:
        options = _table(
            builder,
            {
                0: ("offset", _floats(builder, mean)),
                1: ("offset", _floats(builder, deviation)),
            },
        )
        units = [_table(builder, {0: ("byte", 1), 1: ("offset", options)})]
    fields = {4: ("offset", _offsets(builder, units))}
    if size is not None:
        sides = _table(builder, {0: ("u32", size[0]), 1: ("u32", size[1])})
        image = _table(builder, {1: ("offset", sides)})
        content = _table(builder, {0: ("byte", 2), 1: ("offset", image)})
        fields[3] = ("offset", content)
    given = _offsets(builder, [_table(builder, fields)])
    named = []
    for name in outputs:
        fields = {0: ("offset", builder.CreateString(name))}
        if box_order and name == outputs[0]:
            order = _numbers(builder, box_order, 4, builder.PrependUint32)
            box = _table(builder, {0: ("offset", order), 1: ("byte", 1)})
            content = _table(builder, {0: ("byte", 3), 1: ("offset", box)})
            fields[3] = ("offset", content)
        named.append(_table(builder, fields))
    graph = {2: ("offset", given), 3: ("offset", _offsets(builder, named))}
    if anchors is not None:
        data = builder.CreateByteVector(_detector(anchors, scales, sigmoid))
        name = builder.CreateString("DETECTOR_METADATA")
        custom = _table(builder, {0: ("offset", name), 1: ("offset", data)})
        graph[9] = ("offset", _offsets(builder, [custom]))
    graphs = _offsets(builder, [_table(builder, graph)])
    builder.Finish(_table(builder, {3: ("offset", graphs)}), b"M001")
    return bytes(builder.Output())


def _detector(anchors: np.ndarray, scales: Sequence[float], sigmoid: bool) -> bytes:
    builder = flatbuffers.Builder(1 << 16)
    rows = [
        _table(builder, {side: ("float", float(row[side])) for side in range(4)})
        for row in anchors
    ]
    fixed = _table(builder, {0: ("offset", _offsets(builder, rows))})
    listed = _table(builder, {0: ("offset", fixed)})
    fields = {6 + side: ("float", scale) for side, scale in enumerate(scales)}
    fields |= {10: ("bool", True), 11: ("bool", sigmoid)}
    decoding = _table(builder, fields)
    whole = {1: ("offset", listed), 2: ("offset", decoding)}
    builder.Finish(_table(builder, whole), b"V001")
    return bytes(builder.Output())


def _table(builder, fields) -> int:
    builder.StartObject(12)
    put = {
        "offset": builder.PrependUOffsetTRelativeSlot,
        "u32": builder.PrependUint32Slot,
        "float": builder.PrependFloat32Slot,
        "byte": builder.PrependInt8Slot,
        "bool": builder.PrependBoolSlot,
    }
    for slot, (kind, value) in fields.items():
        put[kind](slot, value, 0)
    return builder.EndObject()


def _offsets(builder, tables: Sequence[int]) -> int:
    return _numbers(builder, tables, 4, builder.PrependUOffsetTRelative)


def _floats(builder, numbers: Sequence[float]) -> int:
    return _numbers(builder, numbers, 4, builder.PrependFloat32)


def _numbers(builder, numbers, width: int, put) -> int:
    builder.StartVector(width, len(numbers), width)
    for number in reversed(numbers):
        put(number)
    return builder.EndVector()


def _tensor(unpacked, name: str, shape, kind: int = FLOAT32) -> int:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type = name.encode(), list(shape), kind
    unpacked.subgraphs[0].tensors.append(tensor)
    return len(unpacked.subgraphs[0].tensors) - 1


def _operator(unpacked, code: int, inputs: list[int], outputs: list[int]):
    entry = schema.OperatorCodeT()
    entry.builtinCode = entry.deprecatedBuiltinCode = code
    entry.version = 1
    unpacked.operatorCodes.append(entry)
    operator = schema.OperatorT()
    operator.opcodeIndex = len(unpacked.operatorCodes) - 1
    operator.inputs, operator.outputs = inputs, outputs
    return operator
