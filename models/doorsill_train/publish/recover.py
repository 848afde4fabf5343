"""Keras weights again from a shipped int8 file.

``python -m doorsill_train.publish.recover --file F --out W``

Training can go on from a model whose training run is gone. Each convolution's kernel
and bias are read back (rounded to int8, which costs nothing that can be measured) and
the normalisations, which the file has no more, are set so that they change nothing on
samples of ``--worlds``. Layers that the file does not have begin as an identity.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from keras import layers

from doorsill_train.learn import net
from doorsill_train.learn.samples import calibration

Weights = dict[str, tuple[np.ndarray, np.ndarray]]  # kernel (h, w, in, out), bias


def convolutions(file: Path) -> Weights:
    """What each convolution of an int8 file does, in real numbers, by layer name."""
    interpreter = Interpreter(str(file), experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    details = {t["index"]: t for t in interpreter.get_tensor_details()}
    found: Weights = {}
    for operation in interpreter._get_ops_details():
        if operation["op_name"] != "CONV_2D":
            continue
        _, kernel, bias = (int(index) for index in operation["inputs"])
        layer = details[kernel]["name"].split("/")[-2]
        values = []
        for index in (kernel, bias):
            scales = details[index]["quantization_parameters"]["scales"]
            stored = interpreter.get_tensor(index).astype(np.float32)
            values.append((stored.T * scales).T)
        found[re.sub(r"_\d+$", "", layer)] = (
            values[0].transpose(1, 2, 3, 0),
            values[1],
        )
    return found


def normalisation(model: keras.Model, name: str) -> layers.BatchNormalization:
    """The one behind a convolution."""
    (node,) = model.get_layer(name)._outbound_nodes
    return node.operation


def recovered(found: Weights, examples: np.ndarray, variant: str = "s") -> keras.Model:
    """examples (n, 256, 320, 3) in -1..1, to see what the normalisations get."""
    model = net.build(variant)
    pairs = []
    for layer in model.layers:
        if not isinstance(layer, layers.Conv2D):
            continue
        kernel, bias = found.get(layer.name, (None, None))
        if layer.use_bias:
            layer.set_weights([kernel, bias])
            continue
        after = normalisation(model, layer.name)
        pairs.append((layer, after, bias))
        if kernel is not None and bias is not None:
            layer.set_weights([kernel])
            unit = np.full_like(bias, 1 - after.epsilon)
            after.set_weights([1 + 0 * bias, bias, 0 * bias, unit])
    for layer, after, bias in pairs:
        see = keras.Model(model.input, layer.output)
        seen = np.concatenate([see(part).numpy() for part in np.split(examples, 4)])
        mean, spread = seen.mean(axis=(0, 1, 2)), seen.var(axis=(0, 1, 2))
        gamma, beta = after.get_weights()[:2]
        if bias is not None:
            gamma, beta = np.sqrt(spread + after.epsilon), mean + bias
        after.set_weights([gamma, beta, mean, spread])
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, required=True, help="a shipped .tflite")
    parser.add_argument("--worlds", type=Path, required=True)
    parser.add_argument("--variant", choices=sorted(net.WIDTHS), default=net.VARIANT)
    parser.add_argument("--out", type=Path, required=True, help="a .weights.h5 file")
    args = parser.parse_args()
    examples = np.stack(calibration(args.worlds, "rgb", 160)).astype(np.float32) / 128
    model = recovered(convolutions(args.file), examples, args.variant)
    model.save_weights(args.out)
    print(f"{model.count_params()} parameters in {args.out}")


if __name__ == "__main__":
    main()
