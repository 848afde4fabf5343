"""One random scene: a door, shop or street, its people, light and camera.

``sample_scene`` draws everything from the generator; ``shoot`` renders the triplet:
now, the previous step, and the empty background.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import furniture
import numpy as np
from gaits import STRIDE_M
from people import Person
from renderer import HEIGHT, WIDTH, Camera, Draw, Light, Mesh, Renderer, look
from solids import Solid, cloth_colour, muted, vivid

HEAD_M = 0.24
VIEWS = ("low", "oblique", "overhead")
VIEW_P = (0.36, 0.32, 0.32)
STILL_P = 0.25
BEYOND_P = 0.3  # of the people: may stand so that the edge cuts the head off


@dataclass(slots=True)
class Cast:
    """A person of the pool, uploaded at two moments of the walk."""

    person: Person
    now: Mesh
    before: Mesh
    head_points: np.ndarray  # (n, 3)
    height: float
    wrists: np.ndarray  # (2, 3)
    step_m: float  # walked between the two moments


@dataclass(slots=True)
class Actor:
    cast: Cast
    place: np.ndarray  # (4, 4) now
    earlier: np.ndarray  # (4, 4) one step before
    still: bool
    props: list[Mesh]
    palette: np.ndarray
    second: tuple[float, ...]


@dataclass(slots=True)
class Scene:
    view: str
    camera: Camera
    light: Light
    back_light: Light
    room: list[Draw] = field(default_factory=list)
    moved_room: list[Draw] = field(default_factory=list)  # doors, in the background
    actors: list[Actor] = field(default_factory=list)
    back_wall: float = 10.0
    outdoors: bool = False


def place(angle: float, x: float, z: float, size: float = 1.0, y: float = 0.0):
    m = np.eye(4)
    c, s = np.cos(angle) * size, np.sin(angle) * size
    m[0, 0], m[0, 2], m[2, 0], m[2, 2], m[1, 1] = c, s, -s, c, size
    m[0, 3], m[1, 3], m[2, 3] = x, y, z
    return m


def sample_camera(rng: np.random.Generator) -> tuple[str, Camera]:
    """Overhead at 2.4-4 m, oblique, or nearly level; focal length from a head size."""
    view = str(rng.choice(VIEWS, p=VIEW_P))
    if view == "low":
        tilt = rng.uniform(6, 28) if rng.random() < 0.6 else rng.uniform(-2, 12)
        height = rng.uniform(1.6, 3.0) if tilt > 10 else rng.uniform(1.1, 2.0)
        focal = 160 / np.tan(np.radians(rng.uniform(38, 85)) / 2)
    else:
        span = (25, 62) if view == "oblique" else (66, 90)
        tilt, height = rng.uniform(*span), rng.uniform(2.3, 4.0)
        head = np.exp(rng.uniform(np.log(14), np.log(58)))
        focal = head * (height - 1.55) / np.sin(np.radians(tilt)) / HEAD_M
        focal = np.clip(
            focal, 160 / np.tan(np.radians(55)), 160 / np.tan(np.radians(18))
        )
    t, yaw = np.radians(tilt), np.radians(rng.uniform(-30, 30))
    forward = np.array([np.sin(yaw) * np.cos(t), -np.sin(t), np.cos(yaw) * np.cos(t)])
    spin = rng.uniform(0, 2 * np.pi)
    up = [np.sin(spin), 0, np.cos(spin)] if tilt > 66 else [rng.normal(0, 0.04), 1, 0]
    eye = np.array([0, height, 0.0])
    return view, Camera(eye, look(eye, eye + forward, np.array(up)), float(focal))


def sample_light(rng: np.random.Generator) -> Light:
    around, up = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(35, 88))
    to = [np.cos(around) * np.cos(up), np.sin(up), np.sin(around) * np.cos(up)]
    warm = np.clip(1 + rng.normal(0, 0.07, 3), 0.75, 1.25)
    sky = rng.uniform(0.35, 0.9) * warm
    ground = sky * rng.uniform(0.35, 0.8)
    sun = rng.uniform(0.05, 1.0) * np.clip(1 + rng.normal(0, 0.08, 3), 0.7, 1.3)
    return Light(np.array(to), sky, ground, sun)


def drifted(light: Light, rng: np.random.Generator) -> Light:
    """The light when the background was learned: a little later, or a cloud."""
    if rng.random() < 0.7:
        return light
    turn = light.sun_to + rng.normal(0, 0.06, 3)
    scale = np.exp(rng.normal(0, 0.12))
    sun = light.sun * np.exp(rng.normal(0, 0.3))
    turn /= np.linalg.norm(turn)
    return Light(turn, light.sky * scale, light.ground * scale, sun)


def sample_picture(rng: np.random.Generator) -> np.ndarray:
    """Dead leaves: (256, 256, 3) of overlapping shapes at all scales, a busy wall."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (256, 256), tuple(rng.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    mean, spread = muted(rng) * 200, rng.uniform(5, 30)
    for _ in range(rng.integers(60, 500)):
        size = np.exp(rng.uniform(np.log(4), np.log(90)))
        x, y = rng.uniform(-20, 256, 2)
        colour = np.clip(mean + rng.normal(0, spread, 3) + rng.normal(0, 40), 0, 255)
        fill = tuple(int(c) for c in colour)
        box = (x, y, x + size * rng.uniform(0.3, 1.5), y + size)
        kind = rng.integers(4)
        if kind == 0:
            draw.ellipse(box, fill=fill)
        elif kind == 1:
            draw.polygon(
                [tuple(p) for p in np.add((x, y), rng.uniform(0, size, (4, 2)))], fill
            )
        elif kind == 2:
            draw.line(
                (x, y, *(rng.uniform(0, 256, 2))), fill=fill, width=1 + int(size / 15)
            )
        else:
            draw.rectangle(box, fill=fill)
    return np.asarray(image)


def furnish(scene: Scene, renderer: Renderer, rng: np.random.Generator) -> None:
    """Floor, walls, door, ceiling, posters."""
    level, still = scene.view == "low", np.eye(4)

    def put(solid: Solid, casts: bool = False, pattern: int = 0, **kw: object) -> None:
        mesh = renderer.upload(solid.vertices())
        draw = Draw(mesh, still, casts=casts, pattern=pattern, **kw)
        scene.room.append(draw)

    floor, base = Solid(), muted(rng, 0.15, 0.8)
    floor.box((-25, -0.05, -25), (25, 0, 35), base)
    second = np.clip(base * rng.uniform(0.55, 1.25) + rng.normal(0, 0.03, 3), 0.02, 1)
    put(floor, False, int(rng.choice([0, 0, 1, 2, 3, 4, 4, 4, 6, 7])), second=second,
        scale=rng.uniform(0.4, 3), gloss=rng.choice([0, 0.1, 0.3]))  # fmt: skip
    if rng.random() < 0.35:
        mat, x, z = Solid(), rng.uniform(-2, 2), rng.uniform(-1, 3)
        high = (x + rng.uniform(0.5, 1.6), 0.012, z + rng.uniform(1, 3))
        mat.box((x - 0.6, 0, z), high, muted(rng))
        put(mat, False, int(rng.choice([0, 1, 7])), second=muted(rng), scale=6.0)
    scene.back_wall = rng.uniform(4, 14) if level else rng.uniform(2.2, 8)
    paint, z = muted(rng, 0.3, 0.95), scene.back_wall
    busy = rng.random() < 0.45
    pattern = int(rng.choice([5, 6, 6, 7, 7, 7] if busy else [0, 0, 0, 1, 4]))
    look_ = {"second": np.clip(paint * rng.uniform(0.3, 1.2), 0, 1)}
    look_ |= {"scale": rng.uniform(0.5, 2.5)}
    wall, door = Solid(), rng.uniform(-2, 2) if rng.random() < 0.5 else None
    if scene.outdoors and rng.random() < 0.5:
        wall.box((-25, 0, z), (25, rng.uniform(1.0, 4), z + 0.2), paint)
    elif door is None:
        wall.box((-25, 0, z), (25, 5, z + 0.2), paint)
    else:
        wall.box((-25, 0, z), (door - 0.6, 5, z + 0.2), paint)
        wall.box((door + 0.6, 0, z), (25, 5, z + 0.2), paint)
        wall.box((door - 0.6, 2.1, z), (door + 0.6, 5, z + 0.2), paint)
        glow = np.ones(3) * rng.choice([0.1, 0.5, 1.5, 3.0])
        wall.box((door - 3, 0, z + 2), (door + 3, 5, z + 2.2), glow)
    for side in (-1, 1):
        if rng.random() < (0.2 if scene.outdoors else 0.55):
            x, depth = side * rng.uniform(1.8, 6), 0.2 * side
            wall.box(
                (min(x, x + depth), 0, -8), (max(x, x + depth), 5, z), paint * 0.95
            )
    put(wall, False, pattern, **look_)
    if not scene.outdoors and rng.random() < 0.5:
        roof, y = Solid(), max(3.9, scene.camera.eye[1] + 0.5)
        roof.box((-25, y, -8), (25, y + 0.2, z), np.ones(3) * rng.uniform(0.4, 0.95))
        put(roof)
    posters = Solid()
    for _ in range(rng.integers(0, 7)):
        x, y = rng.uniform(-4, 4), rng.uniform(0.2, 2.2)
        high = (x + rng.uniform(0.1, 1.6), y + rng.uniform(0.1, 1.5), z - 0.01)
        posters.box(
            (x, y, z - 0.02), high, muted(rng) if rng.random() < 0.6 else vivid(rng)
        )
    if posters.points:
        put(posters, False, int(rng.choice([0, 1, 7])), second=vivid(rng), scale=2.0)
    if door is not None:
        leaf = Solid()
        leaf.box((0, 0, -0.02), (1.1, 2.1, 0.02), muted(rng))
        mesh, swing = renderer.upload(leaf.vertices()), rng.uniform(0, 1.6)
        scene.room.append(Draw(mesh, place(swing, door - 0.55, z)))
        angle = swing if rng.random() < 0.6 else rng.uniform(0, 1.6)
        scene.moved_room.append(Draw(mesh, place(angle, door - 0.55, z)))


def on_floor(camera: Camera, u: float, v: float, y: float) -> np.ndarray | None:
    """The point at height y under pixel (u, v), or None when too far."""
    ray = camera.ray(u, v)
    if ray[1] > -0.02:
        return None
    reach = (y - camera.eye[1]) / ray[1]
    return camera.eye + reach * ray if 0.4 < reach < 14 else None


def spot(scene: Scene, height: float, rng: np.random.Generator) -> np.ndarray | None:
    """Where a person can stand; the head is in the picture, or not far outside."""
    camera = scene.camera
    beyond = 30 if rng.random() < BEYOND_P else 0  # pixels
    if scene.view == "low":
        span = (10, 60) if rng.random() < 0.3 else (18, 48)
        depth = camera.focal * HEAD_M / np.exp(rng.uniform(*np.log(span)))
        ray = camera.ray(rng.uniform(-beyond, WIDTH + beyond), HEIGHT / 2)
        at = ray / np.hypot(ray[0], ray[2]) * depth
    else:
        u, v = rng.uniform(-beyond, WIDTH + beyond), rng.beta(1.1, 1.4) * HEIGHT
        found = on_floor(camera, u, v, height)
        if found is None:
            return None
        at = found
    (pixel,), (depth,) = camera.project(np.array([[at[0], height, at[2]]]))
    size = camera.focal * HEAD_M / max(depth, 0.01)
    inside = -beyond <= pixel[0] <= WIDTH + beyond
    inside &= -8 - beyond < pixel[1] < HEIGHT - 4
    if depth < 0.4 or not inside or not 9 < size < 85 or at[2] > scene.back_wall - 0.2:
        return None
    return at


def props_for(cast: Cast, renderer: Renderer, rng: np.random.Generator) -> list[Mesh]:
    """Carts, prams, wheelchairs, boxes, bags and cases, in the person's own frame."""
    solids: list[tuple[Solid, np.ndarray]] = []
    kind = cast.person.gait.kind
    if kind == "push":
        maker = (furniture.shopping_cart, furniture.pram)[int(rng.random() < 0.4)]
        solids.append((maker(rng), np.array([0, 0, 0.95])))
    elif kind == "sit":
        solids.append((furniture.wheelchair(rng), np.zeros(3)))
    elif kind == "hold":
        solids.append(
            (furniture.held_box(rng), np.add(cast.wrists.mean(axis=0), (0, 0, 0.1)))
        )
    elif rng.random() < 0.35:
        hand = np.add(cast.wrists[rng.integers(2)], (0, -0.06, 0))
        solids.append((furniture.bag(rng), hand))
    elif rng.random() < 0.06:
        solids.append((furniture.suitcase(rng), np.array([0.3, 0, -0.35])))
    meshes = []
    for solid, at in solids:
        vertices = solid.vertices()
        vertices[:, :3] += at
        meshes.append(renderer.upload(vertices))
    return meshes


def add_people(
    scene: Scene,
    pool: list[Cast],
    renderer: Renderer,
    count: int,
    rng: np.random.Generator,
) -> None:
    for _ in range(count):
        cast = pool[rng.integers(len(pool))]
        taken = [a.place[[0, 2], 3] for a in scene.actors]
        for _ in range(25):
            if taken and rng.random() < 0.2:
                around, gap = rng.uniform(0, 2 * np.pi), rng.uniform(0.42, 0.9)
                x, z = taken[rng.integers(len(taken))]
                at = np.array([x + gap * np.cos(around), 0, z + gap * np.sin(around)])
            else:
                found = spot(scene, cast.height * 0.93, rng)
                if found is None:
                    continue
                at = found
            gaps = [np.hypot(*(t - at[[0, 2]])) for t in taken]
            if min(gaps, default=9.0) > 0.4:
                break
        else:
            continue
        along = rng.choice([0, np.pi]) + rng.normal(0, 0.5)
        angle = along if rng.random() < 0.6 else rng.uniform(0, 2 * np.pi)
        size, still = rng.uniform(0.96, 1.04), rng.random() < STILL_P
        here = place(angle, at[0], at[2], size)
        back = here @ place(0, 0, 0 if still else -cast.step_m)
        palette = cast.person.palette.copy()
        for slot in (3, 4, 5, 6, 10, 11, 12):
            palette[slot] = cloth_colour(rng) ** 2.2
        second = tuple(
            np.clip(palette[3] * rng.uniform(0.2, 2.0) + rng.normal(0, 0.05, 3), 0, 1)
        )
        props = props_for(cast, renderer, rng)
        scene.actors.append(Actor(cast, here, back, still, props, palette, second))


def add_furniture(scene: Scene, renderer: Renderer, rng: np.random.Generator) -> None:
    count = int(rng.choice([0, 1, 2, 4, 8], p=[0.1, 0.18, 0.28, 0.26, 0.18]))
    kinds = furniture.OUTDOORS if scene.outdoors else furniture.INDOORS
    taken = [a.place[[0, 2], 3] for a in scene.actors]
    for _ in range(count + (3 if not scene.actors else 0)):
        at = on_floor(
            scene.camera, rng.uniform(-20, WIDTH + 20), rng.uniform(0, HEIGHT), 0
        )
        if at is None or at[2] > scene.back_wall - 0.3:
            continue
        solid = furniture.FURNITURE[str(rng.choice(kinds))](rng)
        flat = np.concatenate([p[:, [0, 2]] for p in solid.points])
        radius, near = np.abs(flat).max(), np.hypot(at[0], at[2])
        if any(np.hypot(*(t - at[[0, 2]])) < radius * 0.8 + 0.3 for t in taken):
            continue
        if solid.top > scene.camera.eye[1] - 0.7 and near < radius + 1.6:
            continue
        turned = rng.choice([0, np.pi / 2]) + rng.normal(0, 0.2)
        draw = Draw(renderer.upload(solid.vertices()), place(turned, at[0], at[2]))
        draw.pattern, draw.second = int(rng.choice([0, 0, 0, 1, 4])), muted(rng)
        draw.scale, draw.gloss = rng.uniform(1, 4), float(rng.choice([0, 0.1, 0.3]))
        scene.room.append(draw)


def sample_scene(
    renderer: Renderer,
    pool: list[Cast],
    rng: np.random.Generator,
    count: int | None = None,
) -> Scene:
    view, camera = sample_camera(rng)
    light = sample_light(rng)
    scene = Scene(view, camera, light, drifted(light, rng))
    scene.outdoors = bool(rng.random() < (0.35 if view == "low" else 0.15))
    light.centre = np.array([0, 0, 0.5 if view == "overhead" else 3.5])
    scene.back_light.centre = light.centre
    renderer.set_picture(sample_picture(rng))
    furnish(scene, renderer, rng)
    if count is None:
        count = int(rng.choice(7, p=[0.1, 0.3, 0.25, 0.15, 0.1, 0.06, 0.04]))
    add_people(scene, pool, renderer, count, rng)
    add_furniture(scene, renderer, rng)
    return scene


def actor_draws(actor: Actor, number: int, before: bool) -> list[Draw]:
    person = actor.cast.person
    at = actor.earlier if before else actor.place
    mesh = actor.cast.before if before and not actor.still else actor.cast.now
    draws = [Draw(mesh, at, number, actor.palette, person.pattern[0], actor.second,
                  person.pattern[1], 0.03)]  # fmt: skip
    return draws + [Draw(m, at) for m in actor.props]


def shoot(scene: Scene, renderer: Renderer) -> tuple[np.ndarray, ...]:
    """now, before, background (h, w, 3) linear; ids (h, w, 2)."""
    now = [d for i, a in enumerate(scene.actors) for d in actor_draws(a, i + 1, False)]
    before = [
        d for i, a in enumerate(scene.actors) for d in actor_draws(a, i + 1, True)
    ]
    image = renderer.render(now + scene.room[::-1], scene.camera, scene.light)
    ids = renderer.identify(now + scene.room[::-1], scene.camera)
    earlier = image
    if scene.actors:
        earlier = renderer.render(before + scene.room[::-1], scene.camera, scene.light)
    doors = {id(d.mesh) for d in scene.moved_room}
    room = [d for d in scene.room if id(d.mesh) not in doors] + scene.moved_room
    empty = renderer.render(room[::-1], scene.camera, scene.back_light)
    return image, earlier, empty, ids


def free(scene: Scene) -> None:
    for draw in scene.room:
        draw.mesh.free()
    for actor in scene.actors:
        for mesh in actor.props:
            mesh.free()


def step_length(dt: float, speed: float) -> tuple[float, float]:
    """Metres and phase that a walker moves on in dt seconds."""
    return speed * dt, 2 * np.pi * speed * dt / STRIDE_M
