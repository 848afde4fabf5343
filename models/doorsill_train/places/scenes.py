"""One random scene: a door, shop or street, its people, light and camera.

``sample_scene`` draws everything from the generator; ``shoot`` renders the triplet:
now, the previous step, and the empty background.
"""

from __future__ import annotations

import numpy as np

from doorsill_train.paint.camera import Camera, look, place
from doorsill_train.paint.painter import Draw, Light, Mesh, Painter
from doorsill_train.paint.solids import Solid, cloth_colour
from doorsill_train.people.gaits import STRIDE_M
from doorsill_train.people.people import Person
from doorsill_train.places import furniture
from doorsill_train.places.pictures import CLOTH, SECOND_CLOTH, Pictures
from doorsill_train.places.roads import build_road, moved, road_camera
from doorsill_train.places.rooms import add_furniture, furnish, hide_some, on_floor
from doorsill_train.places.scene import Actor, Cast, Paint, Scene
from doorsill_train.shards import HEIGHT, WIDTH

HEAD_M = 0.24
VIEWS = ("low", "oblique", "overhead")
VIEW_P = (0.28, 0.28, 0.44)
ROAD_P = 0.13  # of the scenes: a road from above, most of them without a person
PEOPLE_P = (0.15, 0.3, 0.23, 0.14, 0.09, 0.05, 0.04)  # none, one, ...
STILL_P = 0.25
DARK_P = 0.12  # of the people: dark from head to foot, hood and hat too
BEYOND_P = 0.3  # of the people: may stand so that the edge cuts the head off


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
        span = (8, 20) if rng.random() < 0.25 else (14, 58)  # pixels
        head = np.exp(rng.uniform(*np.log(span)))
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


def spot(scene: Scene, height: float, rng: np.random.Generator) -> np.ndarray | None:
    """Where a person can stand; the head is in the picture, or not far outside."""
    camera = scene.camera
    beyond = 30 if rng.random() < BEYOND_P else 0  # pixels
    if scene.view == "low":
        span = ((7.5, 14), (10, 90), (18, 48))[rng.choice(3, p=(0.25, 0.3, 0.45))]
        depth = camera.focal * HEAD_M / np.exp(rng.uniform(*np.log(span)))
        ray = camera.ray(rng.uniform(-beyond, WIDTH + beyond), HEIGHT / 2)
        at: np.ndarray = ray / np.hypot(ray[0], ray[2]) * depth
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
    if depth < 0.4 or not inside or not 7 < size < 130 or at[2] > scene.back_wall - 0.2:
        return None
    return at


def props_for(cast: Cast, painter: Painter, rng: np.random.Generator) -> list[Mesh]:
    """Carts, prams, wheelchairs, boxes, bags and cases, in the person's own frame."""
    solids: list[tuple[Solid, np.ndarray]] = []
    kind = cast.person.gait.kind
    if kind == "push":
        maker = (furniture.shopping_cart, furniture.pram)[int(rng.random() < 0.4)]
        solids.append((maker(rng), np.array([0, 0, 0.95])))
    elif kind == "sit":
        solids.append((furniture.wheelchair(rng), np.zeros(3)))
    elif kind == "seat":
        solids.append((furniture.seat(rng), np.zeros(3)))
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
        meshes.append(painter.upload(vertices))
    return meshes


def recoloured(
    person: Person, rng: np.random.Generator
) -> tuple[np.ndarray, tuple[float, ...]]:
    """Other colours for somebody's clothes, and one for their pattern."""
    palette = person.palette.copy()
    dark = rng.random() < DARK_P
    for slot in (3, 4, 5, 6, 10, 11, 12):
        worn = np.full(3, rng.uniform(0.02, 0.2)) if dark else cloth_colour(rng)
        palette[slot] = worn**2.2
    second = np.clip(palette[3] * rng.uniform(0.2, 2.0) + rng.normal(0, 0.05, 3), 0, 1)
    return palette, tuple(second)


def add_people(
    scene: Scene,
    pool: list[Cast],
    painter: Painter,
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
        palette, second = recoloured(cast.person, rng)
        props = props_for(cast, painter, rng)
        scene.actors.append(Actor(cast, here, back, still, props, palette, second))


def sample_scene(
    painter: Painter,
    pool: list[Cast],
    rng: np.random.Generator,
    count: int | None = None,
    pictures: Pictures | None = None,
) -> Scene:
    pictures = pictures or Pictures()
    painter.set_pictures(pictures.of_scene(rng))
    light = pictures.light(rng) or sample_light(rng)
    if count is None and rng.random() < ROAD_P:
        return road_scene(painter, pool, light, rng)
    view, camera = sample_camera(rng)
    scene = Scene(view, camera, light, drifted(light, rng))
    scene.outdoors = bool(rng.random() < (0.35 if view == "low" else 0.15))
    light.centre = np.array([0, 0, 0.5 if view == "overhead" else 3.5])
    scene.back_light.centre = light.centre
    furnish(scene, painter, rng)
    if count is None:
        count = int(rng.choice(len(PEOPLE_P), p=PEOPLE_P))
    add_people(scene, pool, painter, count, rng)
    add_furniture(scene, painter, rng)
    hide_some(scene, painter, rng)
    return scene


def road_scene(
    painter: Painter, pool: list[Cast], light: Light, rng: np.random.Generator
) -> Scene:
    """Traffic under a bridge or a high window; now and then somebody walks there."""
    view, camera, centre = road_camera(rng)
    scene = Scene(view, camera, light, drifted(light, rng), outdoors=True)
    light.centre = scene.back_light.centre = centre
    scene.back_wall, scene.shutter = 40.0, float(rng.choice([0, 0.15, 0.4]))
    if rng.random() < 0.2:
        add_people(scene, pool, painter, int(rng.integers(1, 4)), rng)
    taken = [actor.place[[0, 2], 3] for actor in scene.actors]
    room, traffic = build_road(painter, centre, taken, rng)
    scene.room += room
    scene.traffic += traffic
    return scene


def actor_draws(actor: Actor, number: int, before: bool) -> list[Draw]:
    person = actor.cast.person
    at = actor.earlier if before else actor.place
    mesh = actor.cast.before if before and not actor.still else actor.cast.now
    kind, scale = person.pattern
    layer = CLOTH if scale < 2 else SECOND_CLOTH
    draws = [Draw(mesh, at, number, actor.palette, kind, actor.second,
                  scale, layer, 0.03)]  # fmt: skip
    return draws + [Draw(m, at) for m in actor.props]


def shoot(
    scene: Scene, painter: Painter, paint: Paint | None = None
) -> tuple[np.ndarray, ...]:
    """now, before, background (h, w, 3) linear; ids (h, w, 2).

    ``paint`` makes the pictures in the renderer's place; the ids are always its own.
    """
    paint = paint or painter.render
    people = [
        [d for i, a in enumerate(scene.actors) for d in actor_draws(a, i + 1, before)]
        for before in (False, True)
    ]
    room = scene.room[::-1]

    def seen(people: list[Draw], step: float) -> np.ndarray:
        draws = people + [moved(m, step) for m in scene.traffic] + room
        return paint(draws, scene.camera, scene.light)

    open_for = np.linspace(0, scene.shutter, 4 if scene.shutter else 1)
    image = np.mean([seen(people[0], step) for step in open_for], axis=0)
    standing = [m.draw for m in scene.traffic]
    ids = painter.identify(people[0] + standing + room, scene.camera)
    earlier = image
    if scene.actors or scene.traffic:
        earlier = seen(people[1], 1.0)
    doors = {id(d.mesh) for d in scene.moved_room}
    room = [d for d in scene.room if id(d.mesh) not in doors] + scene.moved_room
    empty = paint(room[::-1], scene.camera, scene.back_light)
    return image, earlier, empty, ids


def free(scene: Scene) -> None:
    for draw in [*scene.room, *(m.draw for m in scene.traffic)]:
        draw.mesh.free()
    for actor in scene.actors:
        for mesh in actor.props:
            mesh.free()


def step_length(dt: float, speed: float) -> tuple[float, float]:
    """Metres and phase that a walker moves on in dt seconds."""
    return speed * dt, 2 * np.pi * speed * dt / STRIDE_M
