"""Path-trace scenes with Blender's Cycles: a worker for ``paint.tracer``.

Runs in an environment of its own, as Blender's Python module is under the GPL and
nothing of ours may be linked with it: one line on standard input names a file with the
scene, one on standard output says that the picture lies beside it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np

SAMPLES, BOUNCES = 16, 4
POLISH = 2.6  # a waxed floor's index of refraction, and some: it shows a fifth
BRIGHTEST = 0.92  # what reflects more than this would light up the room

Nodes = Any  # a material's tree of nodes


def settle(width: int, height: int) -> None:
    """An empty file, and how it is rendered."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.cycles.samples, scene.cycles.max_bounces = SAMPLES, BOUNCES
    scene.cycles.use_denoising = True
    scene.cycles.sample_clamp_indirect = 3.0


def linked(tree: Nodes, source: Any, target: Any) -> None:
    tree.links.new(source, target)


def node(tree: Nodes, kind: str, **inputs: object) -> Any:
    made = tree.nodes.new(kind)
    for name, value in inputs.items():
        made.inputs[name].default_value = value
    return made


def attribute(tree: Nodes, name: str) -> Any:
    made = tree.nodes.new("ShaderNodeAttribute")
    made.attribute_name = name
    return made


def pattern(tree: Nodes, where: Any, kind: int, scale: float) -> Any:
    """A socket 0..1 as the rasteriser's fragment shader has it, by kind."""
    if kind in (2, 3, 5):
        made = node(
            tree, f"ShaderNodeTex{'Checker' if kind == 2 else 'Brick'}", Scale=scale
        )
        for name, grey in (("Color1", 0.0), ("Color2", 1.0 if kind == 2 else 0.5)):
            made.inputs[name].default_value = (grey, grey, grey, 1)
        if kind != 2:
            made.inputs["Mortar"].default_value = (1, 1, 1, 1)
        linked(tree, where, made.inputs["Vector"])
        return made.outputs["Color"]
    made = node(tree, "ShaderNodeTexNoise", Scale=scale * 2.0, Detail=4.0)
    linked(tree, where, made.inputs["Vector"])
    sharp = tree.nodes.new("ShaderNodeMapRange")
    sharp.inputs["From Min"].default_value = 0.42
    sharp.inputs["From Max"].default_value = 0.58
    linked(tree, made.outputs[0], sharp.inputs["Value"])
    return sharp.outputs["Result"]


def stripes(tree: Nodes, where: Any, axis: str, scale: float) -> Any:
    made = node(tree, "ShaderNodeTexWave", Scale=scale / 2.0)
    made.bands_direction = axis
    linked(tree, where, made.inputs["Vector"])
    return made.outputs["Color"]


def product(tree: Nodes, one: Any, other: Any, kind: str = "MULTIPLY") -> Any:
    made = tree.nodes.new("ShaderNodeMath")
    made.operation = kind
    linked(tree, one, made.inputs[0])
    linked(tree, other, made.inputs[1])
    return made.outputs[0]


def flat_place(tree: Nodes, lying: bool) -> Any:
    """World metres as the texture's plane: x and z on floors, along and up on walls."""
    place = tree.nodes.new("ShaderNodeNewGeometry")
    parts, plane = (
        tree.nodes.new(f"ShaderNode{n}XYZ") for n in ("Separate", "Combine")
    )
    linked(tree, place.outputs["Position"], parts.inputs[0])
    x, y, z = parts.outputs
    linked(tree, x if lying else product(tree, x, z, "ADD"), plane.inputs[0])
    linked(tree, z if lying else y, plane.inputs[1])
    plane.inputs[2].default_value = 0.37
    return plane.outputs[0]


def material(draw: dict[str, Any], pictures: list[Any]) -> Any:
    """The vertex's own colour, mixed with the second one where the pattern says so."""
    made = bpy.data.materials.new("doorsill")
    made.use_nodes = True
    tree = made.node_tree
    surface = tree.nodes["Principled BSDF"]
    gloss, kind = float(draw["gloss"]), int(draw["pattern"])
    surface.inputs["Roughness"].default_value = max(0.3, 0.85 - 1.8 * gloss)
    surface.inputs["Specular IOR Level"].default_value = 0.2
    surface.inputs["Coat Weight"].default_value = float(draw["mirror"])
    surface.inputs["Coat IOR"].default_value = POLISH
    surface.inputs["Coat Roughness"].default_value = 0.04 * float(draw["haze"])
    colour = attribute(tree, "colour").outputs["Color"]
    if kind == 7 and not draw["person"]:
        image = tree.nodes.new("ShaderNodeTexImage")
        image.image = pictures[draw["layer"]]
        place = scaled(tree, flat_place(tree, draw["lying"]), 0.35 * draw["scale"])
        linked(tree, place, image.inputs["Vector"])
        colour = mixed(tree, None, colour, image.outputs["Color"], "MULTIPLY")
    elif kind:
        amount = share(tree, draw, kind)
        colour = mixed(tree, amount, colour, (*draw["second"], 1.0))
    linked(tree, colour, surface.inputs["Base Color"])
    glow = attribute(tree, "glow").outputs["Color"]
    linked(tree, glow, surface.inputs["Emission Color"])
    surface.inputs["Emission Strength"].default_value = 1.0
    return made


def share(tree: Nodes, draw: dict[str, Any], kind: int) -> Any:
    """How much of the second colour; on a person only the clothes have any."""
    if not draw["person"]:
        return pattern(tree, flat_place(tree, draw["lying"]), kind, draw["scale"])
    rest = attribute(tree, "rest").outputs["Vector"]
    if kind in (1, 2, 3):
        seen = stripes(tree, rest, "X" if kind == 2 else "Y", draw["scale"])
    else:
        seen = pattern(tree, rest, kind, draw["scale"])
    return product(tree, attribute(tree, "cloth").outputs["Fac"], seen)


def scaled(tree: Nodes, vector: Any, factor: float) -> Any:
    made = tree.nodes.new("ShaderNodeVectorMath")
    made.operation = "SCALE"
    made.inputs["Scale"].default_value = factor
    linked(tree, vector, made.inputs[0])
    return made.outputs[0]


def mixed(tree: Nodes, amount: Any, one: Any, other: Any, kind: str = "MIX") -> Any:
    made = tree.nodes.new("ShaderNodeMix")
    made.data_type, made.blend_type = "RGBA", kind
    made.inputs[0].default_value = 1.0
    if amount is not None:
        linked(tree, amount, made.inputs[0])
    linked(tree, one, made.inputs[6])
    if isinstance(other, tuple):
        made.inputs[7].default_value = other
    else:
        linked(tree, other, made.inputs[7])
    return made.outputs[2]


def wound(points: np.ndarray, normals: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(n, 3) faces whose winding agrees with the normals; a rasteriser does not care"""
    a, b, c = (points[faces[:, i]] for i in range(3))
    against = (np.cross(b - a, c - a) * normals[faces].sum(axis=1)).sum(axis=1) < 0
    return np.where(against[:, None], faces[:, ::-1], faces)


def mesh(draw: dict[str, Any]) -> Any:
    points = draw["points"]
    faces = wound(points, draw["normals"], draw["faces"].reshape(-1, 3))
    made = bpy.data.meshes.new("doorsill")
    made.vertices.add(len(points))
    made.vertices.foreach_set("co", points.ravel())
    made.loops.add(faces.size)
    made.loops.foreach_set("vertex_index", faces.ravel())
    made.polygons.add(len(faces))
    made.polygons.foreach_set("loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
    made.update(calc_edges=True)
    made.normals_split_custom_set_from_vertices(draw["normals"])
    colour = draw["colours"]
    opaque = np.ones((len(colour), 1), np.float32)
    for name, values in (
        ("colour", np.minimum(colour, BRIGHTEST)),
        ("glow", np.maximum(colour - 1, 0)),
    ):
        layer = made.attributes.new(name, "FLOAT_COLOR", "POINT")
        layer.data.foreach_set("color", np.hstack([values, opaque]).ravel())
    layer = made.attributes.new("rest", "FLOAT_VECTOR", "POINT")
    layer.data.foreach_set("vector", draw["rest"].ravel())
    layer = made.attributes.new("cloth", "FLOAT", "POINT")
    layer.data.foreach_set("value", draw["cloth"])
    return made


def put(draw: dict[str, Any], pictures: list[Any]) -> None:
    data = mesh(draw)
    data.materials.append(material(draw, pictures))
    item = bpy.data.objects.new("doorsill", data)
    item.matrix_world = draw["place"].T.tolist()
    item.visible_shadow = bool(draw["casts"])
    bpy.context.scene.collection.objects.link(item)


def lit(job: dict[str, Any]) -> None:
    """The sun, and a sky that is bright above and dim below (y is up)."""
    sun = bpy.data.lights.new("sun", "SUN")
    sun.energy, sun.color = np.pi, job["sun"].tolist()
    sun.angle = 0.03
    item = bpy.data.objects.new("sun", sun)
    item.matrix_world = facing(job["sun_to"]).T.tolist()
    bpy.context.scene.collection.objects.link(item)
    world = bpy.data.worlds.new("sky")
    world.use_nodes = True
    tree = world.node_tree
    parts = tree.nodes.new("ShaderNodeSeparateXYZ")
    towards = tree.nodes.new("ShaderNodeTexCoord").outputs["Generated"]
    linked(tree, towards, parts.inputs[0])
    high = tree.nodes.new("ShaderNodeMapRange")
    high.inputs["From Min"].default_value = -1.0
    linked(tree, parts.outputs[1], high.inputs["Value"])
    ground = node(tree, "ShaderNodeRGB").outputs[0]
    ground.default_value = (*job["ground"].tolist(), 1)
    sky = (*job["sky"].tolist(), 1.0)
    colour = mixed(tree, high.outputs["Result"], ground, sky)
    linked(tree, colour, tree.nodes["Background"].inputs["Color"])
    bpy.context.scene.world = world


def facing(to: np.ndarray) -> np.ndarray:
    """(4, 4): its third axis looks to the sun, as a lamp's back does."""
    side = np.cross([0.0, 1.0, 0.01], to)
    side /= np.linalg.norm(side)
    made = np.eye(4)
    made[:3, :3] = np.stack([side, np.cross(to, side), to], axis=1)
    return made


def seen_from(job: dict[str, Any]) -> None:
    camera = bpy.data.cameras.new("camera")
    camera.sensor_fit, camera.sensor_width = "HORIZONTAL", float(job["width"])
    camera.lens, camera.clip_start, camera.clip_end = float(job["focal"]), 0.1, 60.0
    item = bpy.data.objects.new("camera", camera)
    item.matrix_world = np.linalg.inv(job["view"]).T.tolist()
    bpy.context.scene.collection.objects.link(item)
    bpy.context.scene.camera = item


def pattern_picture(pixels: np.ndarray) -> Any:
    """(h, w, 3) uint8 as an image of Blender's."""
    high, wide = pixels.shape[:2]
    made = bpy.data.images.new("picture", wide, high)
    flat = np.ones((high, wide, 4), np.float32)
    flat[..., :3] = pixels / 255.0
    made.pixels.foreach_set(flat.ravel())
    return made


def traced(job: dict[str, Any], work: Path) -> np.ndarray:
    """(h, w, 3) float32, linear light."""
    width, height = int(job["width"]), int(job["height"])
    settle(width, height)
    pictures = [pattern_picture(pixels) for pixels in job["pictures"]]
    for draw in job["draws"]:
        put(draw, pictures)
    lit(job)
    seen_from(job)
    scene, target = bpy.context.scene, work.with_suffix(".exr")
    scene.render.filepath = str(target)
    scene.cycles.seed = int(job["seed"])
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(target))
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    target.unlink()
    return pixels.reshape(height, width, 4)[::-1, :, :3].copy()


def main() -> None:
    """Until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Blender talks
    for line in sys.stdin:
        path = Path(line.strip())
        job = np.load(path, allow_pickle=True)["job"].item()
        np.save(path.with_suffix(".npy"), traced(job, path))
        print("done", file=answers, flush=True)


if __name__ == "__main__":
    main()
