"""Keras weights -> one int8 TFLite file that a phone-size accelerator could run.

``python -m doorsill_train.publish.export --weights W --worlds FOLDER --out FILE``

Prints the operations, and refuses any that is not on the Edge TPU's list.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from doorsill_train.learn.samples import ENCODINGS, calibration
from doorsill_train.publish.operators import operations


def converted(model: keras.Model, examples: list[np.ndarray]) -> bytes:
    """Full int8, int8 in and out; examples (h, w, 3) int8."""
    shape = (1, *model.input_shape[1:])
    fixed = keras.Input(batch_shape=shape)
    frozen = keras.Model(fixed, model(fixed))
    converter = tf.lite.TFLiteConverter.from_keras_model(frozen)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    # both ends of the range, so that the stored pixel is exactly pixel - 128
    ends = np.zeros(shape[1:], np.int8)
    ends[0, 0], ends[-1, -1] = -128, 127
    calibration = [*examples, ends]
    converter.representative_dataset = lambda: (
        [e[None].astype(np.float32) / 128] for e in calibration
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    model_bytes: bytes = converter.convert()
    return model_bytes


def main() -> None:
    from doorsill_train.learn import net

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--weights", type=Path, required=True, help="a .weights.h5 file"
    )
    parser.add_argument("--worlds", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--encoding", choices=ENCODINGS, default="rgb")
    parser.add_argument("--variant", choices=sorted(net.WIDTHS), default=net.VARIANT)
    args = parser.parse_args()
    model = net.build(args.variant)
    model.load_weights(args.weights)
    data = converted(model, calibration(args.worlds, args.encoding))
    for (name, version), count in sorted(operations(data).items()):
        print(f"{count:4} {name} v{version}")
    args.out.write_bytes(data)
    print(f"{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
