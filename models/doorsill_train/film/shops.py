"""A shop with a door, and who comes: the simulated street's walkers, rendered.

    street's Floor, who is where ─► Walker, in clothes ─► Actor, in a pose ─► picture

Two in three shops have the mix of the street's hour, the third a dense crowd that walks
both ways. A held-out shop is seen by the street's own camera; one for training by some
camera that hangs over a door, or looks down an aisle between shelves.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from doorsill_street.camera import MOUNTED, Eye
from doorsill_street.measured import FRAME_S
from doorsill_street.people import Arrivals, Behaviour, Floor
from doorsill_street.street import HOUR_MIX
from doorsill_train import labels
from doorsill_train.film.lens import Lens, exposed
from doorsill_train.film.truth import head_points, label
from doorsill_train.paint.camera import Camera, look, place
from doorsill_train.paint.painter import Draw, Mesh, Painter
from doorsill_train.paint.photographs import Photographs
from doorsill_train.people.bodies import Atlas
from doorsill_train.people.gaits import STRIDE_M
from doorsill_train.people.people import Person, sample_person
from doorsill_train.places.pictures import Pictures
from doorsill_train.places.rooms import (
    add_furniture,
    furnish,
    line_with_shelves,
)
from doorsill_train.places.scene import Actor, Cast, Scene
from doorsill_train.places.scenes import (
    actor_draws,
    free,
    props_for,
    recoloured,
    sample_light,
)
from doorsill_train.shards import (
    DOOR,
    HEIGHT,
    LUMA,
    WIDTH,
    between_bars,
    is_held_out,
)

PER_MINUTE, CROWD_PER_S = 24.0, 1.0
WARDROBE, PHASES = 16, 12
KINDS, KIND_P = ("walk", "phone", "hold", "sit"), (0.84, 0.07, 0.06, 0.03)
AISLE_M = 2.2  # from the middle: where people walk there stands nothing
AISLE_P = 0.4  # of the shops for training
TURN_MPS = 0.2  # who is slower looks on to where they looked before
GREY = 128  # of the bars


@dataclass(slots=True)
class Walker:
    """Somebody of the wardrobe on the floor, in colours of their own."""

    person: Person
    look: dict[int, Cast]  # by the phase of the walk; shared by all who wear it
    palette: np.ndarray
    second: tuple[float, ...]
    size: float
    props: list[Mesh] = field(default_factory=list)
    walked: float = 0.0  # metres
    angle: float = 0.0

    def cast(self, painter: Painter) -> Cast:
        phase = int(self.walked / STRIDE_M * PHASES) % PHASES
        if phase not in self.look:
            self.look[phase] = posed(self.person, phase, painter)
        return self.look[phase]


def posed(person: Person, phase: int, painter: Painter) -> Cast:
    vertices, faces, wrists = person.mesh(2 * np.pi * phase / PHASES)
    mesh = painter.upload(vertices, faces)
    tall = float(vertices[:, 1].max())
    return Cast(person, mesh, mesh, head_points(vertices), tall, wrists, 0.0)


class Wardrobe:
    """People of one shop, who come again in other colours when all have come."""

    def __init__(
        self, atlas: Atlas, painter: Painter, rng: np.random.Generator, unseen: bool
    ) -> None:
        self._painter, self._rng = painter, rng
        self._all = {
            True: [sample_person(atlas, rng, unseen, "push") for _ in range(2)],
            False: [
                sample_person(atlas, rng, unseen, str(rng.choice(KINDS, p=KIND_P)))
                for _ in range(WARDROBE)
            ],
        }
        self._looks: dict[int, dict[int, Cast]] = {}

    def dress(self, behaviour: Behaviour) -> Walker:
        some = self._all[behaviour is Behaviour.CART]
        some.append(some.pop(0))
        person, rng = some[-1], self._rng
        palette, second = recoloured(person, rng)
        own = self._looks.setdefault(id(person), {})
        walker = Walker(person, own, palette, second, rng.uniform(0.96, 1.04))
        walker.walked = rng.uniform(0, STRIDE_M)
        walker.props = props_for(walker.cast(self._painter), self._painter, rng)
        return walker

    def free(self) -> None:
        for own in self._looks.values():
            for cast in own.values():
                cast.now.free()


def mounted(rng: np.random.Generator, aisle: bool = False) -> Eye:
    """A camera that looks down on a door, near where the handbook hangs it.

    One in an aisle looks more nearly level.
    """
    height = rng.uniform(2.3, 3.6) if aisle else rng.uniform(2.6, 4.0)
    tilt = rng.uniform(24, 46) if aisle else rng.uniform(36, 64)
    middle = (height - 0.8) / np.tan(np.radians(tilt))  # of the picture, on the floor
    back = middle + rng.uniform(0.0, 1.2)
    return Eye(height, back, tilt, field_of_view=rng.uniform(42, 66))


def camera_of(eye: Eye) -> Camera:
    """The painter's camera that sees what ``eye`` projects: x is x, z is back - y."""
    at, tilt = np.array([0.0, eye.height, 0.0]), np.radians(eye.tilt)
    forward = np.array([0.0, -np.sin(tilt), np.cos(tilt)])
    tall = WIDTH / eye.aspect
    focal = tall / 2 / np.tan(np.radians(eye.field_of_view / 2))
    return Camera(at, look(at, at + forward, np.array([0.0, 1, 0])), float(focal))


class Shop:
    """A room with a door, a camera, and who comes."""

    def __init__(
        self,
        atlas: Atlas,
        painter: Painter,
        seed: int,
        photographs: Photographs | None = None,
    ) -> None:
        self.seed, self.painter = seed, painter
        rng = self.rng = np.random.default_rng(seed)
        unseen = is_held_out(seed)
        aisle = not unseen and rng.random() < AISLE_P
        self.eye = MOUNTED if unseen else mounted(rng, aisle)
        self.crowded = seed % 3 == 2
        self.scene = self._room(aisle, Pictures(photographs))
        self.wardrobe = Wardrobe(atlas, painter, rng, unseen)
        self.floor, self.arrivals = Floor(rng), Arrivals(rng)
        self.walkers: dict[int, Walker] = {}
        strength = rng.uniform(0.03, 0.28) if rng.random() < 0.3 else 0.0
        self.lens = Lens(strength)
        wide = not unseen and rng.random() < 0.5
        self.bar = (HEIGHT - (WIDTH * 9 // 16 if wide else DOOR[1])) // 2
        self.empty = self._paint([])
        self.last = self.empty

    def _room(self, aisle: bool, pictures: Pictures) -> Scene:
        rng, painter = self.rng, self.painter
        painter.set_pictures(pictures.of_scene(rng))
        light = pictures.light(rng) or sample_light(rng)
        light.centre = np.array([0, 0, self.eye.back])
        scene = Scene("oblique", camera_of(self.eye), light, replace(light))
        scene.outdoors = bool(rng.random() < 0.15)
        scene.deep = self.eye.back + rng.uniform(3.8, 6.5)
        furnish(scene, painter, rng)
        walls = len(scene.room)
        add_furniture(scene, painter, rng)
        things, scene.room = scene.room[walls:], scene.room[:walls]
        for draw in things:
            if abs(draw.place[0, 3]) < AISLE_M:
                draw.mesh.free()
            else:
                scene.room.append(draw)
        if aisle:
            side = rng.uniform(AISLE_M, AISLE_M + 0.9)
            line_with_shelves(scene, painter, rng, side)
        return scene

    def step(self, now: float) -> None:
        """Let a frame's time pass."""
        rng, kind = self.rng, None
        if self.crowded and rng.random() < CROWD_PER_S * FRAME_S:
            kind = Behaviour.CROWD
        elif not self.crowded and rng.random() < PER_MINUTE / 60 * FRAME_S:
            kinds, shares = list(HOUR_MIX), np.array(list(HOUR_MIX.values()))
            kind = kinds[rng.choice(len(kinds), p=shares / shares.sum())]
        if kind is not None:
            for person, start in self.arrivals.party(kind):
                self.floor.enter(person, start)
        self.floor.step(now, FRAME_S)
        there = self.floor.serial.tolist()
        for serial in [each for each in self.walkers if each not in there]:
            for mesh in self.walkers.pop(serial).props:
                mesh.free()
        rows = zip(there, self.floor.people, self.floor.speed.tolist(), strict=True)
        for serial, person, (x, y) in rows:
            fresh = serial not in self.walkers
            if fresh:
                self.walkers[serial] = self.wardrobe.dress(person.behaviour)
            walker, speed = self.walkers[serial], float(np.hypot(x, y))
            walker.walked += speed * FRAME_S
            if fresh or speed > TURN_MPS:
                walker.angle = float(np.arctan2(x, -y))

    def _actors(self) -> list[Actor]:
        actors, back = [], self.eye.back
        rows = zip(self.floor.serial.tolist(), self.floor.at.tolist(), strict=True)
        for serial, (x, y) in rows:
            walker = self.walkers[serial]
            here = place(walker.angle, x, back - y, walker.size)
            actors.append(
                Actor(walker.cast(self.painter), here, here, False, walker.props,
                      walker.palette, walker.second)
            )  # fmt: skip
        return actors

    def _draws(self, actors: list[Actor]) -> list[Draw]:
        people = [d for i, a in enumerate(actors) for d in actor_draws(a, i + 1, False)]
        return people + self.scene.room[::-1]

    def _paint(self, actors: list[Actor]) -> np.ndarray:
        camera, light = self.scene.camera, self.scene.light
        image = self.painter.render(self._draws(actors), camera, light)
        return self.lens.image(image)

    def picture(self) -> tuple[np.ndarray, np.ndarray, list[int]]:
        """Planes (5, h, w), label rows (n, 23), and who each of these is."""
        actors, serials = self._actors(), self.floor.serial.tolist()
        now, last = self._paint(actors), self.last
        self.last = now
        steady = np.random.default_rng([self.seed, 1])  # one camera exposes alike
        now, last, empty = exposed([now, last, self.empty], steady)
        change = np.abs(now.astype(np.int16) - empty).max(axis=2)
        camera, lens = self.scene.camera, self.lens
        ids = lens.image(self.painter.identify(self._draws(actors), camera))
        rows, who = [], []
        for number, (actor, serial) in enumerate(zip(actors, serials, strict=True), 1):
            draws = actor_draws(actor, number, False)[:1]
            alone = lens.image(self.painter.identify(draws, camera))
            mine = ids[..., 0] == number
            row = label(actor, alone, mine, ids[..., 1], change, self.scene, lens)
            if row is not None:
                rows.append(row)
                who.append(serial)
        luma = [np.rint(image @ LUMA).astype(np.uint8) for image in (last, empty)]
        planes = np.stack([*np.moveaxis(now, 2, 0), *luma])
        table = np.array(rows, np.float32).reshape(-1, len(labels.NAMES))
        # Who is behind a bar is left out, so each row carries its serial there.
        table = np.column_stack([table, np.array(who, np.float32)])
        planes, table = between_bars(planes, table, self.bar, GREY)
        return planes, table[:, :-1], table[:, -1].astype(int).tolist()

    def free(self) -> None:
        for walker in self.walkers.values():
            for mesh in walker.props:
                mesh.free()
        self.wardrobe.free()
        free(self.scene)
