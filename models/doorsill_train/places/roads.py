"""Roads seen from bridges, masts and upper windows, with traffic that moves.

       z                        Everything is laid out along x and turned as one;
-------------- pavement, kerb   the camera looks at the origin of the road.
  - - o=o - -  lanes -> x
--------------
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from doorsill_train.paint.camera import Camera, look, place
from doorsill_train.paint.painter import Draw, Painter
from doorsill_train.paint.solids import Solid, muted
from doorsill_train.places import furniture, vehicles
from doorsill_train.places.scene import Mover
from doorsill_train.places.wares import discs

Rng = np.random.Generator
LANE_M, CAR_M, SPAN_M = 3.1, 1.8, 13.0
WHITE = np.full(3, 0.75)


def moved(mover: Mover, share: float) -> Draw:
    """The vehicle ``share`` of a frame's step ago."""
    back = place(0, -share * mover.step_m, 0)
    return replace(mover.draw, place=mover.draw.place @ back)


def road_camera(rng: Rng) -> tuple[str, Camera, np.ndarray]:
    """View, camera, and the point of the road it looks at.

    The focal length follows from how wide a car is to be: as heads, or as people are.
    """
    tilt, height = rng.uniform(20, 90), rng.uniform(3.5, 9.5)
    t, yaw = np.radians(tilt), np.radians(rng.uniform(-30, 30))
    forward = np.array([np.sin(yaw) * np.cos(t), -np.sin(t), np.cos(yaw) * np.cos(t)])
    eye, spin = np.array([0, height, 0.0]), rng.uniform(0, 2 * np.pi)
    up = [np.sin(spin), 0, np.cos(spin)] if tilt > 66 else [rng.normal(0, 0.04), 1, 0]
    reach = height / np.sin(t)
    wide = np.exp(rng.uniform(np.log(22), np.log(130)))
    narrow, broad = 160 / np.tan(np.radians([9, 50]))
    focal = float(np.clip(wide * reach / CAR_M, broad, narrow))
    camera = Camera(eye, look(eye, eye + forward, np.array(up)), focal)
    view = "overhead" if tilt > 66 else "oblique" if tilt > 28 else "low"
    return view, camera, eye + forward * reach


def surface(lanes: int, rng: Rng) -> list[tuple[Solid, dict[str, Any]]]:
    """Asphalt, its patches and paint, kerbs and pavements, each with its pattern."""
    grey = np.clip(rng.uniform(0.03, 0.35) * (1 + rng.normal(0, 0.05, 3)), 0.01, 1)
    asphalt, edge = Solid(), lanes * LANE_M / 2
    asphalt.box((-60, -0.05, -60), (60, 0, 60), grey)
    look_: dict[str, Any] = {
        "pattern": int(rng.choice([0, 1, 6, 6])),
        "second": tuple(grey * 1.25),
    }
    look_ |= {"scale": rng.uniform(0.5, 3), "gloss": float(rng.choice([0, 0.2]))}
    if rng.random() < 0.15:  # wet
        look_ |= {"mirror": rng.uniform(0.1, 0.5), "haze": rng.uniform(1, 3)}
    worn = Solid()
    for _ in range(rng.integers(0, 6)):
        x, z = rng.uniform(-SPAN_M, SPAN_M), rng.uniform(-edge, edge)
        size = rng.uniform(0.1, 2.5, 2)
        tint = grey * rng.uniform(0.6, 1.3)
        worn.box((x, 0, z), (x + size[0], 0.003, z + size[1]), tint)
    worn.join(markings(lanes, rng))
    kerb, slabs = Solid(), Solid()
    stone, paving = muted(rng, 0.3, 0.8), muted(rng, 0.2, 0.8)
    for side in (-1, 1):
        if rng.random() < 0.7:
            near, far = side * edge, side * (edge + 12)
            low, high = sorted((near, near + side * 0.2))
            kerb.box((-60, 0, low), (60, 0.13, high), stone)
            low, high = sorted((near + side * 0.2, far))
            slabs.box((-60, 0, low), (60, 0.12, high), paving)
    parts: list[tuple[Solid, dict[str, Any]]] = [(asphalt, look_), (worn, {})]
    if kerb.points:
        pattern: dict[str, Any] = {
            "pattern": int(rng.choice([0, 2, 3, 5, 6])),
            "scale": 1.5,
        }
        parts += [(kerb, {}), (slabs, pattern | {"second": tuple(paving * 0.8)})]
    return [part for part in parts if part[0].points]


def markings(lanes: int, rng: Rng) -> Solid:
    """Dashes between lanes, lines at the edges, here and there a crossing."""
    s, paint = Solid(), WHITE * rng.uniform(0.5, 1.2)
    edge, dash, gap = lanes * LANE_M / 2, rng.uniform(0.8, 3), rng.uniform(1, 6)
    wide = rng.uniform(0.05, 0.09)
    for line in np.arange(1, lanes) * LANE_M - edge:
        for x in np.arange(-30 + rng.uniform(0, 3), 30, dash + gap):
            s.box((x, 0, line - wide), (x + dash, 0.005, line + wide), paint)
    for side in (-edge + 0.3, edge - 0.3):
        if rng.random() < 0.5:
            s.box((-60, 0, side - wide), (60, 0.005, side + wide), paint)
    if rng.random() < 0.2:
        x = rng.uniform(-6, 6)
        for z in np.arange(-edge + 0.5, edge - 0.5, 1.0):
            s.box((x, 0, z), (x + 3, 0.006, z + 0.5), paint)
    return s


def free_of(at: np.ndarray, reach: float, taken: list[np.ndarray]) -> bool:
    """Whether nobody of ``taken`` (x, z) is within ``reach`` metres."""
    return all(np.hypot(*(other - at)) > reach for other in taken)


def drive(
    painter: Painter, frame: np.ndarray, lanes: int, taken: list[np.ndarray], rng: Rng
) -> list[Mover]:
    """Vehicles in their lanes, often half out of the picture; some stand."""
    out = []
    for lane in range(lanes):
        ahead = lane * 2 < lanes
        z, x = (lane + 0.5) * LANE_M - lanes * LANE_M / 2, -SPAN_M + rng.uniform(-4, 12)
        speed = 0.0 if rng.random() < 0.2 else rng.uniform(1, 15)
        while x < SPAN_M:
            solid = vehicles.DRIVEN[rng.integers(len(vehicles.DRIVEN))](rng)
            sway, turn = rng.normal(0, 0.2), rng.normal(0, 0.03)
            at = frame @ place((0 if ahead else np.pi) + turn, x, z + sway)
            if free_of(at[[0, 2], 3], 3.2, taken):
                draw = Draw(painter.upload(solid.vertices()), at)
                draw.gloss = float(rng.choice([0.1, 0.4, 0.8]))
                out.append(Mover(draw, speed / rng.uniform(8, 25)))
            x += rng.uniform(6, 11) + rng.exponential(9)
    return out


def beside(
    painter: Painter,
    frame: np.ndarray,
    edge: float,
    taken: list[np.ndarray],
    rng: Rng,
) -> list[Draw]:
    """What stands on the pavements: trees, posts, bins, bicycles, parked vehicles."""
    makers = (furniture.tree, furniture.tree, furniture.pillar, furniture.plant,
              furniture.boxes, furniture.bin_, discs, *vehicles.PARKED)  # fmt: skip
    out = []
    for _ in range(rng.integers(0, 9)):
        solid = makers[rng.integers(len(makers))](rng)
        side, x = rng.choice([-1, 1]), rng.uniform(-SPAN_M, SPAN_M)
        z, turn = (
            side * (edge + rng.uniform(1.2, 4)),
            rng.choice([0, np.pi]) + rng.normal(0, 0.1),
        )
        at = frame @ place(turn, x, z, y=0.12)
        if solid.top < 3 and free_of(at[[0, 2], 3], 3.0, taken):
            draw = Draw(painter.upload(solid.vertices()), at)
            draw.gloss = float(rng.choice([0, 0.3]))
            out.append(draw)
    return out


def build_road(
    painter: Painter, centre: np.ndarray, taken: list[np.ndarray], rng: Rng
) -> tuple[list[Draw], list[Mover]]:
    """What stands still and what drives, around ``centre``; clear of ``taken``."""
    lanes, across = int(rng.integers(1, 5)), rng.uniform(-4, 4)
    heading = rng.uniform(0, 2 * np.pi) if rng.random() < 0.5 else np.pi / 2
    turned = place(heading + rng.normal(0, 0.1), centre[0], centre[2])
    frame = turned @ place(0, 0, across)
    room = []
    for solid, how in surface(lanes, rng):
        draw = Draw(painter.upload(solid.vertices()), frame, casts=False)
        room.append(replace(draw, **how))
    room += beside(painter, frame, lanes * LANE_M / 2, taken, rng)
    return room, drive(painter, frame, lanes, taken, rng)
