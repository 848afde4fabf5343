"""Rooms: floor, walls, door, ceiling, posters, and what stands in them.

Half of what stands there is a little like a head or a person, on purpose; a floor may
be so shiny that it shows people upside down, who are nobody.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from doorsill_train.paint.camera import Camera, place
from doorsill_train.paint.painter import Draw, Painter
from doorsill_train.paint.solids import Solid, muted, vivid
from doorsill_train.places import furniture, pictures, vehicles, wares
from doorsill_train.places.scene import Scene
from doorsill_train.shards import HEIGHT, WIDTH

MIRROR_P = 0.22  # of the floors indoors
ENTRANCE_P = 0.5  # of the doors: set out like a shop's, with glass and plants
SHOWN = 7  # the pattern that is one of the painter's pictures
SURFACES = (pictures.GOODS, pictures.GOODS, pictures.CLOTH, pictures.OTHER)
HIDDEN_P = 0.15  # of the people: something stands before them
HIDERS = (
    *(furniture.shelf, furniture.table, furniture.boxes, furniture.clothes_rack),
    *(furniture.shopping_cart, furniture.bin_, wares.pot, wares.bottles),
)
WARES_P = {"low": 0.35, "oblique": 0.45, "overhead": 0.6}  # of what stands about


def furnish(scene: Scene, painter: Painter, rng: np.random.Generator) -> None:
    """Floor, walls, door, ceiling, posters."""
    lay_floor(scene, painter, rng)
    if rng.random() < 0.35:
        lay_mat(scene, painter, rng)
    door = raise_walls(scene, painter, rng)
    if not scene.outdoors and rng.random() < 0.5:
        roof, y = Solid(), max(3.9, scene.camera.eye[1] + 0.5)
        high = (25, y + 0.2, scene.back_wall)
        roof.box((-25, y, -8), high, np.ones(3) * rng.uniform(0.4, 0.95))
        put(scene, painter, roof)
    hang_posters(scene, painter, rng)
    if door is not None:
        hang_door(scene, painter, door, rng)
        if rng.random() < ENTRANCE_P:
            set_out(scene, painter, door, rng)


def pale(solid: Solid, rng: np.random.Generator) -> None:
    """Colours as light as they go, so that the picture on them is seen as it is."""
    keep = rng.uniform(0, 0.6)
    solid.colours = [
        colour * keep + (1 - keep) * np.ones(3) for colour in solid.colours
    ]


def surfaced(
    solid: Solid, here: np.ndarray, painter: Painter, rng: np.random.Generator
) -> Draw:
    """A thing, plain, with a pattern, or with a picture on it as goods have."""
    pattern = int(rng.choice([0, 0, 0, 1, 4, SHOWN, SHOWN, SHOWN]))
    if pattern == SHOWN:
        pale(solid, rng)
    draw = Draw(painter.upload(solid.vertices()), here, pattern=pattern)
    draw.second, draw.layer = tuple(muted(rng)), int(rng.choice(SURFACES))
    draw.scale, draw.gloss = rng.uniform(1, 6), float(rng.choice([0, 0.1, 0.3]))
    return draw


def put(scene: Scene, painter: Painter, solid: Solid, **looks: Any) -> None:
    """Add a part of the room that throws no shadow; ``looks`` are those of a Draw."""
    mesh = painter.upload(solid.vertices())
    scene.room.append(Draw(mesh, np.eye(4), casts=False, **looks))


def lay_floor(scene: Scene, painter: Painter, rng: np.random.Generator) -> None:
    """A floor of any colour and pattern, which indoors may be a mirror."""
    floor, base = Solid(), muted(rng, 0.15, 0.8)
    floor.box((-25, -0.05, -25), (25, 0, 35), base)
    second = np.clip(base * rng.uniform(0.55, 1.25) + rng.normal(0, 0.03, 3), 0.02, 1)
    polish = {}
    if not scene.outdoors and rng.random() < MIRROR_P:
        polish = {"mirror": rng.uniform(0.3, 1.0), "haze": rng.uniform(0, 2.0)}
    polish |= {"scale": rng.uniform(0.4, 3), "gloss": rng.choice([0, 0.1, 0.3])}
    pattern = int(rng.choice([0, 0, 1, 2, 3, 4, 4, 6, SHOWN, SHOWN, SHOWN, SHOWN]))
    if pattern == SHOWN:
        pale(floor, rng)
    polish |= {"layer": pictures.GROUND}
    put(scene, painter, floor, pattern=pattern, second=second, **polish)


def lay_mat(scene: Scene, painter: Painter, rng: np.random.Generator) -> None:
    """A mat of any size, somewhere on the floor."""
    mat, x, z = Solid(), rng.uniform(-2, 2), rng.uniform(-1, 3)
    high = (x + rng.uniform(0.5, 1.6), 0.012, z + rng.uniform(1, 3))
    mat.box((x - 0.6, 0, z), high, muted(rng))
    pattern, layer = int(rng.choice([0, 1, SHOWN])), pictures.SECOND_CLOTH
    look = {"pattern": pattern, "layer": layer, "scale": 6.0}
    put(scene, painter, mat, second=muted(rng), **look)


def raise_walls(
    scene: Scene, painter: Painter, rng: np.random.Generator
) -> float | None:
    """The back wall and those at the sides; returns x of the door, if there is one."""
    wall_z = rng.uniform(4, 14) if scene.view == "low" else rng.uniform(2.2, 8)
    scene.back_wall = max(scene.deep, wall_z)
    paint, z = muted(rng, 0.3, 0.95), scene.back_wall
    busy = rng.random() < 0.55
    kinds = [5, 6, SHOWN, SHOWN, SHOWN, SHOWN] if busy else [0, 0, 0, 1, 4]
    pattern = int(rng.choice(kinds))
    layer = pictures.VIEW if scene.outdoors and rng.random() < 0.5 else pictures.WALL
    second = np.clip(paint * rng.uniform(0.3, 1.2), 0, 1)
    scale = rng.uniform(0.5, 2.5)
    wall, door = Solid(), rng.uniform(-2, 2) if rng.random() < 0.5 else None
    if scene.outdoors and rng.random() < 0.5:
        wall.box((-25, 0, z), (25, rng.uniform(1.0, 4), z + 0.2), paint)
    elif door is None:
        wall.box((-25, 0, z), (25, 5, z + 0.2), paint)
    else:
        leave_open(wall, door, z, paint, rng)
    for side in (-1, 1):
        if rng.random() < (0.2 if scene.outdoors else 0.55):
            x, depth = side * rng.uniform(1.8, 6), 0.2 * side
            low, high = min(x, x + depth), max(x, x + depth)
            wall.box((low, 0, -8), (high, 5, z), paint * 0.95)
    if pattern == SHOWN:
        pale(wall, rng)
    put(scene, painter, wall, pattern=pattern, second=second, scale=scale, layer=layer)
    return door


def leave_open(
    wall: Solid, door: float, z: float, paint: np.ndarray, rng: np.random.Generator
) -> None:
    """A wall at ``z`` around a door at x = ``door``, and what shines through that."""
    wall.box((-25, 0, z), (door - 0.6, 5, z + 0.2), paint)
    wall.box((door + 0.6, 0, z), (25, 5, z + 0.2), paint)
    wall.box((door - 0.6, 2.1, z), (door + 0.6, 5, z + 0.2), paint)
    glow = np.ones(3) * rng.choice([0.1, 0.5, 1.5, 3.0])
    wall.box((door - 3, 0, z + 2), (door + 3, 5, z + 2.2), glow)


def hang_posters(scene: Scene, painter: Painter, rng: np.random.Generator) -> None:
    """None to six posters on the back wall, some framed."""
    posters, z = Solid(), scene.back_wall
    for _ in range(rng.integers(0, 7)):
        x, y = rng.uniform(-4, 4), rng.uniform(0.2, 2.2)
        if rng.random() < 0.4:
            wares.framed(posters, (x, y + 0.5, z - 0.02), rng)
            continue
        high = (x + rng.uniform(0.1, 1.6), y + rng.uniform(0.1, 1.5), z - 0.01)
        colour = muted(rng) if rng.random() < 0.6 else vivid(rng)
        posters.box((x, y, z - 0.02), high, colour)
    if posters.points:
        pattern, layer = int(rng.choice([0, 1, SHOWN, SHOWN, SHOWN])), pictures.POSTER
        if pattern == SHOWN:
            pale(posters, rng)
        scale = rng.uniform(1.2, 3.5)
        look = {"pattern": pattern, "layer": layer, "scale": scale}
        put(scene, painter, posters, second=vivid(rng), **look)


def hang_door(
    scene: Scene, painter: Painter, door: float, rng: np.random.Generator
) -> None:
    """The leaf, of glass or not, which may have stood otherwise in the background."""
    leaf, z = Solid(), scene.back_wall
    leaf.box((0, 0, -0.02), (1.1, 2.1, 0.02), muted(rng))
    if rng.random() < 0.4:
        leaf.pane((0.1, 0.25, -0.025), (1.0, 2.0, 0.025), rng.uniform(0.15, 0.45))
    mesh, swing = painter.upload(leaf.vertices()), rng.uniform(0, 1.6)
    scene.room.append(Draw(mesh, place(swing, door - 0.55, z)))
    angle = swing if rng.random() < 0.6 else rng.uniform(0, 1.6)
    scene.moved_room.append(Draw(mesh, place(angle, door - 0.55, z)))


def set_out(
    scene: Scene, painter: Painter, door: float, rng: np.random.Generator
) -> None:
    """A mat before the door, plants or stands at its sides, panes beside it."""
    mat, z = Solid(), scene.back_wall
    mat.box((-0.8, 0, -0.5), (0.8, 0.012, 0.5), muted(rng, 0.05, 0.6))
    scene.room.append(Draw(painter.upload(mat.vertices()), place(0, door, z - 0.8)))
    kinds = (wares.pot, wares.pot, wares.basket, wares.hat_stand, furniture.shelf)
    maker = kinds[rng.integers(len(kinds))]
    for side in (-1, 1):
        if rng.random() < 0.85:
            mesh = painter.upload(maker(rng).vertices())
            x = door + side * rng.uniform(0.85, 1.5)
            scene.room.append(Draw(mesh, place(0, x, z - rng.uniform(0.3, 0.7))))
    if rng.random() < 0.5:
        panes, y = Solid(), rng.uniform(0, 0.8)
        for side in (-1, 1):
            ends = door + side * 0.8, door + side * rng.uniform(1.6, 3)
            low, high = (min(ends), y, z - 0.02), (max(ends), 2.3, z - 0.015)
            panes.pane(low, high, rng.uniform(0.1, 0.45))
        scene.room.append(Draw(painter.upload(panes.vertices()), np.eye(4)))


def line_with_shelves(
    scene: Scene, painter: Painter, rng: np.random.Generator, side: float
) -> None:
    """Full shelves at an aisle's sides, ``side`` metres off, and across its end."""
    end = scene.deep - 0.4
    for row, start, stop in ((1, -2.0, end), (-1, -2.0, end), (0, -side, side)):
        along = start
        while along < stop:
            solid = furniture.shelf(rng)
            half = float(max(np.abs(part[:, 0]).max() for part in solid.points))
            at = (row * side, along + half) if row else (along + half, end)
            turned = row * np.pi / 2  # open towards the aisle
            scene.room.append(surfaced(solid, place(turned, *at), painter, rng))
            along += 2 * half + rng.choice([0.02, 0.02, 0.4])


def hide_some(scene: Scene, painter: Painter, rng: np.random.Generator) -> None:
    """Things between the camera and some of the people, who are seen in part."""
    eye, taken = scene.camera.eye, [a.place[[0, 2], 3] for a in scene.actors]
    for at in list(taken):
        apart = eye[[0, 2]] - at
        away, gap = float(np.hypot(*apart)), rng.uniform(0.45, 1.3)
        if rng.random() >= HIDDEN_P or away < gap + 1.0:
            continue
        x, z = at + apart / away * gap
        if any(np.hypot(*(other - (x, z))) < 0.4 for other in taken):
            continue
        solid = HIDERS[rng.integers(len(HIDERS))](rng)
        turned = np.arctan2(*apart) + rng.choice([0, np.pi]) + rng.normal(0, 0.3)
        scene.room.append(surfaced(solid, place(turned, x, z), painter, rng))


def on_floor(camera: Camera, u: float, v: float, y: float) -> np.ndarray | None:
    """The point at height y under pixel (u, v), or None when too far."""
    ray = camera.ray(u, v)
    if ray[1] > -0.02:
        return None
    reach = (y - camera.eye[1]) / ray[1]
    return camera.eye + reach * ray if 0.4 < reach < 14 else None


def standing(scene: Scene, rng: np.random.Generator) -> Solid:
    """One more thing for the room or the street."""
    if rng.random() < WARES_P[scene.view] * (0.5 if scene.outdoors else 1):
        return wares.MAKERS[rng.integers(len(wares.MAKERS))](rng)
    if scene.outdoors and rng.random() < 0.35:
        return vehicles.PARKED[rng.integers(len(vehicles.PARKED))](rng)
    kinds = furniture.OUTDOORS if scene.outdoors else furniture.INDOORS
    return furniture.FURNITURE[str(rng.choice(kinds))](rng)


def add_furniture(scene: Scene, painter: Painter, rng: np.random.Generator) -> None:
    count = int(rng.choice([0, 1, 2, 4, 8], p=[0.1, 0.18, 0.28, 0.26, 0.18]))
    taken = [a.place[[0, 2], 3] for a in scene.actors]
    for _ in range(count + (4 if not scene.actors else 0)):
        at = on_floor(
            scene.camera, rng.uniform(-20, WIDTH + 20), rng.uniform(0, HEIGHT), 0
        )
        if at is None or at[2] > scene.back_wall - 0.3:
            continue
        solid = standing(scene, rng)
        flat = np.concatenate([p[:, [0, 2]] for p in solid.points])
        radius, near = np.abs(flat).max(), np.hypot(at[0], at[2])
        if any(np.hypot(*(t - at[[0, 2]])) < radius * 0.8 + 0.3 for t in taken):
            continue
        if solid.top > scene.camera.eye[1] - 0.7 and near < radius + 1.6:
            continue
        turned = rng.choice([0, np.pi / 2]) + rng.normal(0, 0.2)
        here = place(turned, at[0], at[2])
        scene.room.append(surfaced(solid, here, painter, rng))
