"""Which operations a model of ours may use: those the Edge TPU maps, by version.

int8 or int32 tensors only, fixed shapes, rank of at most four. Sources: the table in
coral.ai/docs/edgetpu/models-intro; versions as reported to google-coral/edgetpu
(compiler 16 refused CONV_2D 6, compilers 14 and 15 any resize but version 2).
"""

from __future__ import annotations

from collections import Counter

from ai_edge_litert import schema_py_generated as schema

ALLOWED = {
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "ADD": 2,
    "CONCATENATION": 2,
    "LOGISTIC": 2,
    "RESIZE_NEAREST_NEIGHBOR": 2,
    "FULLY_CONNECTED": 4,
    "RESHAPE": 1,
    "AVERAGE_POOL_2D": 2,
    "MAX_POOL_2D": 2,
}
TYPES = (schema.TensorType.INT8, schema.TensorType.INT32)


def operations(model: bytes) -> Counter[tuple[str, int]]:
    """(name, version) of every operation; ValueError for what would not be mapped."""
    codes = vars(schema.BuiltinOperator).items()
    names = {value: name for name, value in codes if isinstance(value, int)}
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    found: Counter[tuple[str, int]] = Counter()
    for graph in tree.subgraphs:
        for operator in graph.operators:
            code = tree.operatorCodes[operator.opcodeIndex]
            found[names[code.builtinCode], code.version] += 1
        for tensor in graph.tensors:
            shape = [] if tensor.shape is None else list(tensor.shape)
            if tensor.type not in TYPES:
                raise ValueError(f"tensor {tensor.name!r} is neither int8 nor int32")
            if len(shape) > 4 or min(shape, default=1) < 1:
                raise ValueError(f"tensor {tensor.name!r} has the shape {shape}")
    for name, version in found:
        if version > ALLOWED.get(name, 0):
            raise ValueError(f"{name} version {version} is not on the list")
    return found
