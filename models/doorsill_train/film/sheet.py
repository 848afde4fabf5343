"""A contact sheet of rendered scenes, to be looked at before any training.

``python -m doorsill_train.film.sheet SHARD.frames.npy sheet.png``

Heads are red, bodies green, feet a dot; labels that are not used are magenta. The
second row of each pair is the change input.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from doorsill_train import labels


def annotated(planes: np.ndarray, rows: np.ndarray) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(np.moveaxis(planes[:3], 0, 2)))
    draw = ImageDraw.Draw(image)
    for row, good in zip(rows, labels.usable(rows), strict=True):
        draw.rectangle(row[labels.HEAD].tolist(), outline="red" if good else "magenta")
        draw.rectangle(row[labels.BODY].tolist(), outline="lime" if good else "magenta")
        x, y = row[labels.FOOT]
        draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill="yellow")
    return image


def change(planes: np.ndarray) -> Image.Image:
    """Luma, and the two differences around middle grey, as red, green, blue."""
    luma = planes[:3].astype(np.float32).transpose(1, 2, 0) @ [0.299, 0.587, 0.114]
    differ = [np.clip(128 + luma - planes[k], 0, 255) for k in (3, 4)]
    return Image.fromarray(np.stack([luma, *differ], axis=2).astype(np.uint8))


def main() -> None:
    frames_path, out = Path(sys.argv[1]), Path(sys.argv[2])
    start = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    frames = np.load(frames_path, mmap_mode="r")
    table = np.load(str(frames_path).replace(".frames.npy", ".labels.npz"))
    per_scene = np.split(table["rows"], np.cumsum(table["counts"])[:-1])
    columns, rows = 5, 6
    sheet = Image.new("RGB", (columns * 320, rows * 256))
    for i in range(min(columns * rows, len(frames) - start)):
        at = start + i
        tile = annotated(frames[at], per_scene[at])
        if i >= columns * (rows - 1):
            tile = change(frames[at])
        sheet.paste(tile, (i % columns * 320, i // columns * 256))
    sheet.save(out)


if __name__ == "__main__":
    main()
