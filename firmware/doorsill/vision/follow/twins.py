"""One person on two tracks: see it, and end the younger track.

picture        1 2 3 4 5 6 7 8 9     Where detections are bad, somebody who was lost for
older track    o o - - - o - - o     a moment is found as a new track beside the old
younger            o o o - o o -     one, which is still followed. From then on the two
                                     share that person's detections.

Never are both found in one picture, as two people who walk side by side are in most;
only where false boxes come in most pictures does one of them make it happen now and
then. Who comes in at the picture's edge, and who walks the other way, is somebody else.
"""

from __future__ import annotations

from math import hypot

from doorsill.vision.count.paths import ONE_REACH
from doorsill.vision.follow.person import Person

TWIN_PICTURES = 6  # in which one of two tracks was found, at least,
PICTURES_A_CHANCE = 4  # and so many more for each in which both were,
MANY_FALSE = 0.3  # where so many tracks begin in each picture; elsewhere never both
TWIN_S = 0.4  # life of the younger track, at least
LOST_S = 1.0  # who is lost for longer is not compared with who is found
WALK_SPEED = 0.3  # who is slower stands, body widths a second
ONE_WAY = 0.3  # cosine of the angle between the ways of one person's tracks, at least

Merged = tuple[int, int]  # ids of the track that ends, and of the one that goes on


def merge_twins(
    people: list[Person], partner: list[int], now: float, births: float = 0.0
) -> list[Merged]:
    """End the younger track of each person who has two; at ``now`` (monotonic s).

    ``partner`` is the row of each track's detection, or -1. Both lists lose those that
    end. What is lost in this picture is compared alone: nearly always nobody is.
    ``births`` are the tracks that begin in each picture: many are of false boxes.
    """
    falsely = births > MANY_FALSE
    pairs = list(zip(people, partner, strict=True))
    lost = [each for each, row in pairs if row < 0 and each.confirmed]
    if not lost:
        return []
    found = [each for each, row in pairs if row >= 0 and each.confirmed]
    merged = []
    for one in lost:
        twin = next(
            (each for each in found if _are_twins(one, each, now, falsely)), None
        )
        if twin is not None:
            found.remove(twin)
            older, younger = sorted((one, twin), key=_began)
            merged.append((younger.id, older.id))
            _take(people, partner, older, younger)
    return merged


def _take(
    people: list[Person], partner: list[int], older: Person, younger: Person
) -> None:
    """Let the older track go on alone, from where the person was found last."""
    row = people.index(younger)
    if partner[row] >= 0:
        partner[people.index(older)] = partner[row]
        older.move_to(younger)
    older.pictures |= younger.pictures
    del people[row], partner[row]


def _began(person: Person) -> float:
    return person.began


def _are_twins(lost: Person, found: Person, now: float, falsely: bool) -> bool:
    """Whether one who was not found in this picture is the one who was."""
    squared = (lost.x - found.x) ** 2 + (lost.y - found.y) ** 2
    if squared > (ONE_REACH * found.width) ** 2:
        return False
    younger = lost if lost.began > found.began else found
    if younger.entered or now - younger.began < TWIN_S or now - lost.seen > LOST_S:
        return False
    seen_in_turns = _are_seen_in_turns(lost.pictures, found.pictures, falsely)
    return seen_in_turns and _go_one_way(lost, found)


def _are_seen_in_turns(one: int, other: int, falsely: bool) -> bool:
    """Whether one was often found since the younger began, and never both.

    ``falsely`` says that both may be found by chance, now and then.
    """
    both_live = (1 << min(one.bit_length(), other.bit_length())) - 1
    either, both = (one | other) & both_live, one & other
    if both and not falsely:
        return False
    return either.bit_count() >= TWIN_PICTURES + PICTURES_A_CHANCE * both.bit_count()


def _go_one_way(one: Person, other: Person) -> bool:
    """Whether both walk, and the same way; who stands may be a thing."""
    along = one.speed_x * other.speed_x + one.speed_y * other.speed_y
    speed = hypot(one.speed_x, one.speed_y)
    other_speed = hypot(other.speed_x, other.speed_y)
    walk = min(speed, other_speed) > WALK_SPEED * other.width
    return walk and along > ONE_WAY * speed * other_speed
