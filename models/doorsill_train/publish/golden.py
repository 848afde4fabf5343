"""Write what each model answers, bit for bit, to a fixed picture.

``python -m doorsill_train.publish.golden``

Computed with the reference kernels, which give the same bits on x86 and arm64 (seen
under qemu); ``tests/train/test_models_golden.py`` compares. Run after every publish.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np

from doorsill.drivers.model.runtime import load_reference
from doorsill.models import manifest as registry
from doorsill_train.shipped import GOLDEN, MODELS


def picture(height: int, width: int) -> np.ndarray:
    """A fixed int8 picture with gradients, edges and a grid of blobs."""
    y, x = np.mgrid[:height, :width]
    red = (x * 3 + y) % 256
    green = np.where((x // 17 + y // 13) % 2 == 0, 200, 40)
    blob = ((x % 40 - 20) ** 2 + (y % 64 - 20) ** 2) < 90
    blue = np.where(blob, 230, (y * 2) % 256)
    return (np.stack([red, green, blue], axis=2) - 128).astype(np.int8)


def answers(manifest: registry.Manifest) -> dict[str, str]:
    """Name of each output -> SHA-256 of its stored values."""
    net = load_reference(registry.verified_model(manifest))
    net.input_view()[0] = picture(manifest.height, manifest.width)
    net.invoke()
    shapes = {tensor.shape: tensor.name for tensor in manifest.outputs}
    return {
        shapes[out.tensor.shape]: hashlib.sha256(out.values.tobytes()).hexdigest()
        for out in net.outputs()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=MODELS, help="a folder")
    models, found = parser.parse_args().models, {}
    for path in sorted(models.glob("*.toml")):
        manifest = registry.load_manifest(path)
        found[manifest.name] = {"model": manifest.sha256} | answers(manifest)
    text = json.dumps(found, indent=1, sort_keys=True) + "\n"
    (models / GOLDEN.relative_to(MODELS)).write_text(text)


if __name__ == "__main__":
    main()
