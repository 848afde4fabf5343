"""Human shapes from MakeHuman's CC0 data: base mesh, targets, skeleton, clothes.

Only data files are read (plain text and JSON); the skinning is our own. Upstream:
``makehumancommunity/makehuman`` at a8bc2d54 and ``makehuman-assets`` at 8cf9645b.
Units are MakeHuman's decimetres, y up, the body faces +z, its left hand is at +x.
"""

from __future__ import annotations

import json
import pickle
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

VERTICES = 19158
INFLUENCES = 6  # bones kept per vertex
GENDERS = ("female", "male")
AGES = ("baby", "child", "young", "old")  # about 1, 12, 25 and 90 years
LEVELS = ("min", "average", "max")
PEOPLES = ("african", "asian", "caucasian")  # averaged: shape says nothing of origin


@dataclass(frozen=True, slots=True)
class Garment:
    """A mesh bound to the body: each vertex is a blend of three body vertices."""

    bind: np.ndarray  # (n, 3) body vertices
    weight: np.ndarray  # (n, 3)
    offset: np.ndarray  # (n, 3), scaled by the body's own measures
    scale: dict[int, tuple[int, int, float]]  # axis -> two vertices and their distance
    faces: np.ndarray  # (m, 3)
    pieces: np.ndarray  # (n,) connected component of each vertex
    hides: np.ndarray  # body vertices under the cloth


@dataclass(frozen=True, slots=True)
class Atlas:
    """Everything read from disk, ready to be blended."""

    base: np.ndarray  # (19158, 3)
    faces: dict[str, np.ndarray]
    targets: dict[tuple[str, ...], np.ndarray]
    bones: list[str]
    parents: list[int]
    joints: list[list[int]]  # body vertices whose mean is the head of each bone
    skin_bones: np.ndarray  # (19158, INFLUENCES)
    skin_weights: np.ndarray  # (19158, INFLUENCES)
    garments: dict[str, Garment]


@dataclass(frozen=True, slots=True)
class Figure:
    """What a body is like. ``age`` -1 baby .. 2 old, as AGES; the others -1..1."""

    masculinity: float  # 0..1
    age: float
    muscle: float
    weight: float
    height: float


def read_obj(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Vertices and triangles by group of a Wavefront file."""
    vertices: list[list[float]] = []
    groups: dict[str, list[tuple[int, int, int]]] = {}
    group = ""
    for line in path.read_text().splitlines():
        head, _, rest = line.partition(" ")
        if head == "v":
            vertices.append([float(x) for x in rest.split()])
        elif head == "g":
            group = rest.strip()
        elif head == "f":
            ids = [int(token.split("/")[0]) - 1 for token in rest.split()]
            fan = [(ids[0], ids[i], ids[i + 1]) for i in range(1, len(ids) - 1)]
            groups.setdefault(group, []).extend(fan)
    faces = {name: np.array(tris, np.int32) for name, tris in groups.items()}
    return np.array(vertices, np.float32), faces


def read_target(path: Path) -> np.ndarray:
    """A shape target as an offset for every vertex; zeros where there is no file."""
    offsets = np.zeros((VERTICES, 3), np.float32)
    if path.exists():
        text = path.read_text().splitlines()
        rows = [line.split() for line in text if line.strip() and line[0] != "#"]
        if rows:
            table = np.array(rows, np.float32)
            offsets[table[:, 0].astype(int)] = table[:, 1:4]
    return offsets


def read_targets(folder: Path) -> dict[tuple[str, ...], np.ndarray]:
    """The macro targets: gender, age, muscle, weight and height."""
    out: dict[tuple[str, ...], np.ndarray] = {}
    for gender in GENDERS:
        for age in AGES:
            files = [folder / f"{people}-{gender}-{age}.target" for people in PEOPLES]
            out[gender, age] = np.mean([read_target(f) for f in files], axis=0)
            for muscle in LEVELS:
                for weight in LEVELS:
                    build = f"{muscle}muscle-{weight}weight"
                    name = f"universal-{gender}-{age}-{build}.target"
                    out[gender, age, muscle, weight] = read_target(folder / name)
            for height in ("min", "max"):
                build = f"averagemuscle-averageweight-{height}height"
                name = f"height/{gender}-{age}-{build}.target"
                out[gender, age, height] = read_target(folder / name)
    return out


def read_rig(folder: Path) -> tuple[list[str], list[int], list[list[int]], np.ndarray]:
    """Bones from root to tip, their parents, joints, and (19158, bones) weights."""
    rig = json.loads((folder / "default.mhskel").read_text())
    table = json.loads((folder / "default_weights.mhw").read_text())["weights"]
    names: list[str] = []
    todo = [n for n, bone in rig["bones"].items() if bone["parent"] is None]
    while todo:
        names.append(todo.pop(0))
        todo += [n for n, b in rig["bones"].items() if b["parent"] == names[-1]]
    index = {name: i for i, name in enumerate(names)}
    weights = np.zeros((VERTICES, len(names)), np.float32)
    for bone, pairs in table.items():
        for vertex, weight in pairs:
            weights[vertex, index[bone]] = weight
    parents = [index.get(rig["bones"][n]["parent"], -1) for n in names]
    joints = [rig["joints"][rig["bones"][n]["head"]] for n in names]
    return names, parents, joints, weights


def connected(faces: np.ndarray, count: int) -> np.ndarray:
    """Component label per vertex (labels spread along edges until they settle)."""
    label = np.arange(count)
    while True:
        low = label[faces].min(axis=1)
        new = label.copy()
        np.minimum.at(new, faces.ravel(), np.repeat(low, 3))
        new = new[new]
        if np.array_equal(new, label):
            return np.unique(label, return_inverse=True)[1]
        label = new


def hidden_vertices(text: str) -> list[int]:
    """Expand ``12 - 15 20`` to 12, 13, 14, 15, 20."""
    out: list[int] = []
    for token in text.replace(" - ", "-").split():
        first, _, last = token.partition("-")
        if first.isdigit():
            out += range(int(first), int(last or first) + 1)
    return out


def read_garment(path: Path) -> Garment:
    """Read a ``.mhclo`` binding and the mesh beside it."""
    bind, weight, offset, hides = [], [], [], []
    scale: dict[int, tuple[int, int, float]] = {}
    mode, mesh = "", ""
    for line in path.read_text(errors="ignore").splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "obj_file":
            mesh = words[1]
        elif words[0] in ("x_scale", "y_scale", "z_scale"):
            axis = "xyz".index(words[0][0])
            scale[axis] = (int(words[1]), int(words[2]), float(words[3]))
        elif words[0] in ("verts", "delete_verts"):
            mode = words[0]
        elif mode == "verts" and re.match(r"-?\d", words[0]):
            single = len(words) == 1
            bind.append([int(words[0])] * 3 if single else [int(x) for x in words[:3]])
            weight.append([1.0, 0, 0] if single else [float(x) for x in words[3:6]])
            offset.append([0.0] * 3 if single else [float(x) for x in words[6:9]])
        elif mode == "delete_verts":
            hides += hidden_vertices(line)
    faces = np.concatenate(list(read_obj(path.parent / mesh)[1].values()))
    hide = np.unique(np.array(hides, int))
    return Garment(
        np.array(bind),
        np.array(weight, np.float32),
        np.array(offset, np.float32),
        scale,
        faces,
        connected(faces, len(bind)),
        hide[hide < VERTICES],
    )


def load_atlas(root: Path, cache: Path | None = None) -> Atlas:
    """Read the unpacked data (30 s), or the pickle that an earlier call left."""
    if cache and cache.exists():
        # An older pickle names a module that is no more, or has no babies yet.
        with suppress(ModuleNotFoundError):
            atlas: Atlas = pickle.loads(cache.read_bytes())  # noqa: S301 (our own file)
            if (GENDERS[0], AGES[0]) in atlas.targets:
                return atlas
    base, faces = read_obj(root / "base.obj")
    bones, parents, joints, weights = read_rig(root / "rigs")
    order = np.argsort(-weights, axis=1)[:, :INFLUENCES]
    kept = np.take_along_axis(weights, order, axis=1)
    kept /= np.maximum(kept.sum(axis=1, keepdims=True), 1e-6)
    clothes = sorted((root / "assets").glob("*/*/*.mhclo"))
    atlas = Atlas(
        base, {k: f for k, f in faces.items() if not k.startswith("joint")},
        read_targets(root / "targets/macrodetails"), bones, parents, joints,
        order, kept, {p.stem: read_garment(p) for p in clothes},
    )  # fmt: skip
    if cache:
        partial = cache.with_suffix(".part")  # a stop leaves no half of a pickle
        partial.write_bytes(pickle.dumps(atlas))
        partial.replace(cache)
    return atlas


def levels(x: float) -> dict[str, float]:
    return {"min": max(-x, 0.0), "average": 1 - abs(x), "max": max(x, 0.0)}


def shaped(atlas: Atlas, figure: Figure) -> np.ndarray:
    """Blend the targets for a figure: (19158, 3) at rest."""
    body = atlas.base.copy()
    age = float(np.clip(figure.age, -1, 2))
    ages = {name: max(1 - abs(age - at), 0.0) for at, name in enumerate(AGES, -1)}
    genders = {"male": figure.masculinity, "female": 1 - figure.masculinity}
    for gender, gender_share in genders.items():
        for years, age_share in ages.items():
            share = gender_share * age_share
            if share < 1e-3:
                continue
            body += share * atlas.targets[gender, years]
            for muscle, a in levels(figure.muscle).items():
                for weight, b in levels(figure.weight).items():
                    if a * b > 1e-3:
                        key = (gender, years, muscle, weight)
                        body += share * a * b * atlas.targets[key]
            tall = "max" if figure.height > 0 else "min"
            body += share * abs(figure.height) * atlas.targets[gender, years, tall]
    return body


def joint(atlas: Atlas, body: np.ndarray, bone: str) -> np.ndarray:
    middle: np.ndarray = body[atlas.joints[atlas.bones.index(bone)]].mean(axis=0)
    return middle


def bone_matrices(
    atlas: Atlas, body: np.ndarray, turns: dict[str, np.ndarray]
) -> np.ndarray:
    """(bones, 4, 4): each turn is about the bone's own head, in world axes at rest."""
    out = np.zeros((len(atlas.bones), 4, 4), np.float32)
    for i, bone in enumerate(atlas.bones):
        local = np.eye(4, dtype=np.float32)
        if bone in turns:
            head = body[atlas.joints[i]].mean(axis=0)
            local[:3, :3] = turns[bone]
            local[:3, 3] = head - turns[bone] @ head
        parent = atlas.parents[i]
        out[i] = local if parent < 0 else out[parent] @ local
    return out


def skin_matrices(atlas: Atlas, bones: np.ndarray) -> np.ndarray:
    """Linear blend skinning: (19158, 16), one flattened matrix per vertex."""
    flat = bones.reshape(len(bones), 16)
    out = np.zeros((VERTICES, 16), np.float32)
    for k in range(INFLUENCES):
        out += atlas.skin_weights[:, k, None] * flat[atlas.skin_bones[:, k]]
    return out


def moved(points: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Apply one flattened 4x4 per point."""
    m = matrices.reshape(-1, 4, 4)
    there: np.ndarray = np.einsum("nij,nj->ni", m[:, :3, :3], points) + m[:, :3, 3]
    return there


def fitted(garment: Garment, body: np.ndarray) -> np.ndarray:
    """The garment at rest on this body."""
    size = np.ones(3, np.float32)
    for axis, (a, b, distance) in garment.scale.items():
        size[axis] = abs(body[a, axis] - body[b, axis]) / distance
    on_body = (garment.weight[:, :, None] * body[garment.bind]).sum(axis=1)
    worn: np.ndarray = (on_body + garment.offset * size).astype(np.float32)
    return worn


def normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted vertex normals."""
    a, b, c = (points[faces[:, k]] for k in range(3))
    flat = np.repeat(np.cross(b - a, c - a), 3, axis=0)
    ids = faces.ravel()
    out = np.stack(
        [np.bincount(ids, flat[:, k], minlength=len(points)) for k in range(3)], axis=1
    )
    length = np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)
    normals: np.ndarray = (out / length).astype(np.float32)
    return normals
