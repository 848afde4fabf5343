"""A small rasteriser on moderngl/EGL: colour with shadows, and an id pass.

Light is added in linear light; what comes out is linear too, as float16, so that
exposure and sensor noise can be applied afterwards. A shiny floor shows the scene as a
camera below it would see it. No window, no GPU needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import moderngl
import numpy as np

from doorsill_train.paint.camera import Camera, look
from doorsill_train.paint.painter import LAYERS, TILE, Draw, Light
from doorsill_train.paint.solids import COLUMNS
from doorsill_train.shards import HEIGHT, WIDTH

SHADOW = 512
SHADERS = Path(__file__).parent / "shaders"


@dataclass(slots=True)
class Uploaded:
    """A mesh in the graphics library's memory."""

    arrays: list[moderngl.VertexArray]
    buffers: list[moderngl.Buffer]

    def free(self) -> None:
        for item in [*self.arrays, *self.buffers]:
            item.release()


def uploaded(draw: Draw) -> Uploaded:
    """The draw's mesh, as this painter's ``upload`` gave it."""
    return cast(Uploaded, draw.mesh)


def sun_matrix(light: Light, reach: float = 6.5) -> np.ndarray:
    p = np.eye(4)
    p[0, 0] = p[1, 1] = 1 / reach
    p[2, 2], p[2, 3] = -2 / 29.9, -30.1 / 29.9
    up = np.array([0, 1, 0.01])
    matrix: np.ndarray = p @ look(light.centre + light.sun_to * 12, light.centre, up)
    return matrix


def program(gl: moderngl.Context, name: str) -> moderngl.Program:
    stages = [(SHADERS / f"{name}.{stage}").read_text() for stage in ("vert", "frag")]
    return gl.program(*stages)


def raw(matrix: np.ndarray) -> bytes:
    return np.ascontiguousarray(matrix.T, "f4").tobytes()


class Renderer:
    """Owns the GL context and the framebuffers of one size."""

    def __init__(self, width: int = WIDTH, height: int = HEIGHT, samples: int = 4):
        gl = moderngl.create_standalone_context(backend="egl")
        self.gl, self.width, self.height = gl, width, height
        self.colour = program(gl, "colour")
        self.ids = program(gl, "ids")
        self.depth = program(gl, "depth")
        size = (width, height)
        colours = gl.renderbuffer(size, 4, samples=samples, dtype="f2")
        self.multi = gl.framebuffer(
            [colours], gl.depth_renderbuffer(size, samples=samples)
        )
        self.plain = gl.framebuffer([gl.renderbuffer(size, 4, dtype="f2")])
        self.mirror_image = gl.texture(size, 4, dtype="f2")
        self.mirrored = gl.framebuffer([self.mirror_image])
        self.id_buffer = gl.framebuffer(
            [gl.renderbuffer(size, 4)], gl.depth_renderbuffer(size)
        )
        self.shadow_map = gl.depth_texture((SHADOW, SHADOW))
        self.shadow_map.compare_func = ""
        self.shadow_buffer = gl.framebuffer(depth_attachment=self.shadow_map)
        self.pictures = gl.texture_array((TILE, TILE, LAYERS), 3)
        self.picture_pixels = np.full((LAYERS, TILE, TILE, 3), 128, np.uint8)
        self.set_pictures(self.picture_pixels)
        gl.enable(moderngl.DEPTH_TEST)

    def set_pictures(self, images: np.ndarray) -> None:
        """(n, TILE, TILE, 3) uint8, at most ``LAYERS``, for pattern 7 and cloth 6."""
        self.picture_pixels = np.resize(images, self.picture_pixels.shape)
        self.pictures.write(self.picture_pixels.tobytes())
        self.pictures.build_mipmaps()

    def upload(self, vertices: np.ndarray, faces: np.ndarray | None = None) -> Uploaded:
        assert vertices.shape[1] == COLUMNS
        if faces is None:
            faces = np.arange(len(vertices), dtype=np.int32)
        vertex = self.gl.buffer(vertices.astype("f4").tobytes())
        index = self.gl.buffer(faces.astype("i4").tobytes())
        full = (vertex, "3f 3f 3f 3f 2f", "pos", "nrm", "rest", "col", "tag")
        short = (vertex, "3f 36x 2f", "pos", "tag")
        arrays = [
            self.gl.vertex_array(self.colour, [full], index),
            self.gl.vertex_array(self.ids, [short], index),
            self.gl.vertex_array(self.depth, [(vertex, "3f 44x", "pos")], index),
        ]
        return Uploaded(arrays, [vertex, index])

    def render(self, draws: list[Draw], camera: Camera, light: Light) -> np.ndarray:
        """(h, w, 3) float32, linear light; draw the nearest first, it hides the rest"""
        self.cast_shadows(draws, light)
        self.shadow_map.use(0)
        self.pictures.use(1)
        self.mirror_image.use(2)
        if any(draw.mirror for draw in draws):
            above = [draw for draw in draws if not draw.mirror]
            self.paint(above, camera, light, below=True)
            self.gl.copy_framebuffer(self.mirrored, self.multi)
            self.mirror_image.build_mipmaps()
        self.paint(draws, camera, light)
        self.gl.copy_framebuffer(self.plain, self.multi)
        image = self.read(self.plain, np.float16).astype(np.float32)
        return np.nan_to_num(image, nan=0.0, posinf=8.0)

    def cast_shadows(self, draws: list[Draw], light: Light) -> None:
        self.shadow_buffer.use()
        self.shadow_buffer.clear(depth=1.0)
        self.depth["VP"].write(raw(sun_matrix(light)))
        for draw in draws:
            if draw.casts:
                self.depth["M"].write(raw(draw.place))
                uploaded(draw).arrays[2].render()

    def paint(
        self, draws: list[Draw], camera: Camera, light: Light, below: bool = False
    ) -> None:
        """Into the multisampled buffer; ``below`` through the camera's mirror image."""
        program, flip = self.colour, np.diag([1.0, -1.0 if below else 1.0, 1.0, 1.0])
        self.multi.use()
        self.multi.clear(*light.sky, 1.0, depth=1.0)
        for number, name in enumerate(("depth", "pictures", "mirror")):
            program[name].value = number
        program["shadows"].value, program["below"].value = 1.0, float(below)
        for name in ("sun_to", "sky", "ground", "sun"):
            program[name].value = tuple(getattr(light, name))
        program["eye"].value = tuple(camera.eye * flip.diagonal()[:3])
        program["VP"].write(raw(camera.matrix @ flip))
        program["LVP"].write(raw(sun_matrix(light)))
        white = np.ones((16, 3), "f4")
        for draw in draws:
            program["M"].write(raw(draw.place))
            palette = white if draw.palette is None else draw.palette.astype("f4")
            program["pal"].write(np.ascontiguousarray(palette).tobytes())
            program["pat"].value, program["freq"].value = draw.pattern, draw.scale
            program["layer"].value = float(draw.layer)
            program["col2"].value = tuple(draw.second)
            program["gloss"].value = draw.gloss
            program["polish"].value = (draw.mirror, draw.haze)
            uploaded(draw).arrays[0].render()

    def identify(self, draws: list[Draw], camera: Camera) -> np.ndarray:
        """(h, w, 2) uint8: person id, and whether the pixel is head."""
        self.id_buffer.use()
        self.id_buffer.clear(0, 0, 0, 1, depth=1.0)
        self.ids["VP"].write(raw(camera.matrix))
        for draw in draws:
            self.ids["M"].write(raw(draw.place))
            self.ids["id"].value = float(draw.person)
            uploaded(draw).arrays[1].render()
        return self.read(self.id_buffer, np.uint8)[..., :2]

    def read(self, buffer: moderngl.Framebuffer, kind: type) -> np.ndarray:
        dtype = "f2" if kind is np.float16 else "f1"
        data = buffer.read(components=3, dtype=dtype)
        return np.frombuffer(data, kind).reshape(self.height, self.width, 3)[::-1]
