"""Anchors by rule: how many, and where the first and the last ones lie."""

import numpy as np
import pytest

from doorsill.vision.detect.anchors import by_rule, coding_of


@pytest.mark.parametrize(
    ("count", "size", "rule"),
    [
        pytest.param(1917, (300, 300), "ssd", id="SSD MobileNet 300"),
        pytest.param(2034, (320, 320), "ssd", id="SSDLite MobileDet 320"),
        pytest.param(12804, (320, 320), "retina", id="SSD MobileNet FPNLite 320"),
        pytest.param(51150, (640, 640), "retina", id="SSD MobileNet FPNLite 640"),
        pytest.param(19206, (320, 320), "efficientdet", id="EfficientDet-Lite0"),
        pytest.param(27621, (384, 384), "efficientdet", id="EfficientDet-Lite1"),
        pytest.param(37629, (448, 448), "efficientdet", id="EfficientDet-Lite2"),
        pytest.param(49104, (512, 512), "efficientdet", id="EfficientDet-Lite3"),
        pytest.param(76725, (640, 640), "efficientdet", id="EfficientDet-Lite4"),
    ],
)
def test_the_fields_detectors_are_known_by_their_number_of_boxes(count, size, rule):
    name, coding = coding_of(count, size)
    assert name == rule
    assert coding.anchors.shape == (count, 4)
    assert ((coding.anchors[:, :2] >= 0) & (coding.anchors[:, :2] < 1)).all()


def test_a_number_that_no_rule_gives_is_nobodys():
    assert coding_of(1918, (300, 300)) is None


@pytest.mark.parametrize(
    ("rule", "size", "row", "anchor"),
    [
        # 19 cells; 0.1 of the input, then scale 0.2 with aspects 2 and 1/2.
        ("ssd", (300, 300), 0, (1 / 38, 1 / 38, 0.1, 0.1)),
        ("ssd", (300, 300), 1, (1 / 38, 1 / 38, 0.2 * 2**0.5, 0.2 / 2**0.5)),
        ("ssd", (300, 300), 1916, (0.5, 0.5, 0.95**0.5, 0.95**0.5)),
        # stride 8: 3 strides wide; the second octave is 2**(1/3) as large.
        ("efficientdet", (320, 320), 0, (4 / 320, 4 / 320, 24 / 320, 24 / 320)),
        ("efficientdet", (320, 320), 1, (4 / 320, 4 / 320, 33.6 / 320, 16.8 / 320)),
        ("efficientdet", (320, 320), 3, (4 / 320, 4 / 320, 0.0944941, 0.0944941)),
        ("efficientdet", (320, 320), 9, (12 / 320, 4 / 320, 24 / 320, 24 / 320)),
        # the coarsest level shares 320 pixels among 3 cells.
        ("efficientdet", (320, 320), 19197, (5 / 6, 5 / 6, 1.0, 1.0)),
        ("efficientdet", (512, 512), 0, (4 / 512, 4 / 512, 32 / 512, 32 / 512)),
        ("retina", (320, 320), 0, (4 / 320, 4 / 320, 32 / 320, 32 / 320)),
        ("retina", (320, 320), 1, (4 / 320, 4 / 320, 0.1414214, 0.1414214)),
        # 128 does not divide 320: the coarsest level begins at 0.
        ("retina", (320, 320), 12750, (0.0, 0.0, 1.6, 1.6)),
    ],
)
def test_an_anchor_is_where_the_rule_puts_it(rule, size, row, anchor):
    assert np.allclose(by_rule(rule, size).anchors[row], anchor, atol=1e-6)


def test_sizes_of_the_ssd_rule_go_by_the_shorter_side():
    first = by_rule("ssd", (640, 320)).anchors[0]
    assert np.allclose(first, (1 / 80, 1 / 40, 0.05, 0.1))
