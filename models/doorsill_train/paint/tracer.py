"""Pictures by path tracing, where ``film.worlds --cycles`` asks for a share of them.

Light that comes off walls, soft shadows and floors that mirror, which a rasteriser only
imitates. The geometry is read back from the rasteriser, whose id pass still makes the
labels: the two see the same scene. Blender's module (``bpy``) is under the GPL, so it
runs in a process and an environment of its own (``make cycles``).
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np

from doorsill_train.paint.camera import Camera
from doorsill_train.paint.painter import Draw, Light
from doorsill_train.paint.rasteriser import Renderer, uploaded
from doorsill_train.paint.solids import COLUMNS

CLOTH = (3, 6)  # palette slots
WORKER = Path(__file__).with_name("blender.py")


class Tracer:
    """A Cycles process; ``render`` has the rasteriser's signature."""

    def __init__(self, python: Path, renderer: Renderer) -> None:
        """``python``: the interpreter that has bpy. OSError where there is none."""
        self._renderer, self._count = renderer, 0
        self._folder = tempfile.TemporaryDirectory(prefix="doorsill-")
        self._log = Path(self._folder.name, "log")
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [str(python), str(WORKER)],
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def render(self, draws: list[Draw], camera: Camera, light: Light) -> np.ndarray:
        """(h, w, 3) float32, linear light. RuntimeError if Blender stopped."""
        self._count += 1
        path = Path(self._folder.name, f"{self._count}.npz")
        job = {
            "draws": [read_back(draw) for draw in draws],
            "view": camera.view,
            "focal": camera.focal,
            "seed": self._count,
            "width": camera.width,
            "height": camera.height,
            "pictures": self._renderer.picture_pixels,
            "sun_to": light.sun_to,
            "sun": light.sun,
            "sky": light.sky,
            "ground": light.ground,
        }
        np.savez(path, job=np.array(job, dtype=object))
        self._ask(path)
        image: np.ndarray = np.load(path.with_suffix(".npy"))
        path.unlink()
        path.with_suffix(".npy").unlink()
        return image

    def close(self) -> None:
        """End the process; its scratch files go."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(30)
        self._folder.cleanup()

    def _ask(self, path: Path) -> None:
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None and answers is not None
        try:
            print(path, file=asked, flush=True)
            answer = answers.readline()
        except BrokenPipeError:
            answer = ""
        if answer != "done\n":
            self._process.kill()
            said = self._log.read_text(errors="replace").strip().splitlines()[-1:]
            raise RuntimeError(f"Cycles stopped: {' '.join(said) or 'no word'}")


def read_back(draw: Draw) -> dict[str, object]:
    """What the graphics library holds of a draw, as plain arrays."""
    vertex, index = uploaded(draw).buffers
    table = np.frombuffer(vertex.read(), "f4").reshape(-1, COLUMNS)
    slots = np.rint(table[:, 12]).astype(int)
    palette = np.ones((16, 3)) if draw.palette is None else draw.palette
    cloth = (slots >= CLOTH[0]) & (slots <= CLOTH[1])
    return {
        "points": np.ascontiguousarray(table[:, :3]),
        "normals": np.ascontiguousarray(table[:, 3:6]),
        "rest": np.ascontiguousarray(table[:, 6:9]),
        "colours": (table[:, 9:12] * palette[slots]).astype("f4"),
        "cloth": cloth.astype("f4"),
        "faces": np.frombuffer(index.read(), "i4"),
        "place": np.asarray(draw.place, float),
        "person": draw.person,
        "pattern": draw.pattern,
        "scale": float(draw.scale),
        "layer": draw.layer,
        "second": tuple(float(c) for c in np.clip(draw.second, 0, 1)),
        "gloss": float(draw.gloss),
        "casts": draw.casts,
        "mirror": float(draw.mirror),
        "haze": float(draw.haze),
        "lying": bool(np.ptp(table[:, 1]) < 0.2),
    }
