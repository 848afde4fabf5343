"""The detector's network: plain 3 x 3 convolutions, three scales, one map at stride 8.

Plain convolutions train twice as fast on a CPU as depthwise ones and suit the Edge TPU.
Only operations of its list come out: convolution, addition, nearest resize, logistic.
"""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers

from doorsill.models.manifest import CHANNELS
from doorsill_train.shards import HEIGHT, WIDTH

# Channels by depth, and of the head; m has 1.9 times the multiplications of s.
WIDTHS = {
    "m": (16, 32, 48, 80, 112, 56),
    "s": (16, 24, 32, 56, 72, 40),
    "tiny": (8, 8, 16, 24, 24, 16),
}
VARIANT = "m"  # the shipped detector's; up to version 0.9.0 it was s


@keras.saving.register_keras_serializable("doorsill")
class Double(layers.Layer):  # type: ignore[misc]
    """Nearest resize by two as the one raw operation the Edge TPU compiler takes."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        size = [x.shape[1] * 2, x.shape[2] * 2]
        return tf.raw_ops.ResizeNearestNeighbor(
            images=x, size=size, align_corners=False, half_pixel_centers=False
        )

    def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape[0], shape[1] * 2, shape[2] * 2, shape[3]


def convolved(
    x: tf.Tensor, width: int, size: int = 3, stride: int = 1, name: str | None = None
) -> tf.Tensor:
    x = layers.Conv2D(width, size, stride, "same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(momentum=0.97)(x)
    return layers.ReLU(6.0)(x)


def residual(x: tf.Tensor, width: int, name: str | None = None) -> tf.Tensor:
    """Begins as an identity: the last scale is zero (arXiv 1706.02677, 5.1)."""
    names = (f"{name}_in", f"{name}_out") if name else (None, None)
    y = convolved(x, width, name=names[0])
    y = layers.Conv2D(width, 3, padding="same", use_bias=False, name=names[1])(y)
    y = layers.BatchNormalization(momentum=0.97, gamma_initializer="zeros")(y)
    return layers.ReLU(6.0)(layers.Add()([x, y]))


def build(variant: str = VARIANT) -> keras.Model:
    """(n, 256, 320, 3) in -1..1 -> heat (n, 32, 40, 1), reg (n, 32, 40, 10)."""
    a, b, c, d, e, head = WIDTHS[variant]
    image = keras.Input((HEIGHT, WIDTH, 3))
    fourth = convolved(convolved(image, a, 3, 2), b, 3, 2)
    # Small heads are a few pixels wide: they need thought before the third halving.
    x = convolved(residual(fourth, b, "fine"), c, 3, 2)
    eighth = residual(x, c)
    x = convolved(eighth, d, 3, 2)
    sixteenth = residual(residual(x, d), d)
    x = residual(convolved(sixteenth, e, 3, 2), e)
    x = layers.Add()([sixteenth, Double()(convolved(x, d, 1))])
    x = convolved(x, d)
    x = layers.Add()([convolved(eighth, head, 1), Double()(convolved(x, head, 1))])
    x = convolved(convolved(x, head), head)
    rare = keras.initializers.Constant(-3.5)  # most cells are no head
    heat = layers.Conv2D(1, 1, bias_initializer=rare, activation="sigmoid", name="heat")
    return keras.Model(image, [heat(x), layers.Conv2D(CHANNELS, 1, name="reg")(x)])
