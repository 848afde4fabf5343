"""Poses: a procedural walk and the things people do at a door.

A pose is a table of rotations about each bone's head, in world axes of the rest
pose (x left, y up, z forward). ``phase`` runs 0..2 pi over two steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

X, Y, Z = (1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)
KINDS = (
    *("walk", "stand", "phone", "push", "hold", "reach", "akimbo", "sit"),
    *("seat", "crouch"),  # on a chair, without wheels; on the heels, before a shelf
)
LOW = ("sit", "seat", "crouch")  # whose legs are folded
FRAME = "frame"  # leans on a walking frame; never drawn by itself
SHARES = (0.54, 0.09, 0.07, 0.07, 0.05, 0.05, 0.03, 0.03, 0.045, 0.025)
STRIDE_M = 1.4  # two steps of an adult
LEAN_FORWARD = 3.0
# by age band: how far the legs swing, and the rounding of the back (mean, spread)
STEPS = ((0.6, 1.3), (0.6, 1.25), (0.5, 1.15), (0.25, 0.85))
STOOP = ((0, 3), (0, 4), (3, 5), (17, 11))


@dataclass(frozen=True, slots=True)
class Gait:
    """How one person moves; drawn once, so that two phases show the same person."""

    kind: str
    swing: float  # 0.1 standing .. 1.25 striding
    arm_down: tuple[float, float]  # degrees, left and right
    elbow: tuple[float, float]
    raise_arm: tuple[float, float]
    lean: float
    twist: float
    neck: tuple[float, float, float]  # turn, nod, tilt
    stoop: float  # degrees, a rounded back with the head in front


def sample_gait(
    rng: np.random.Generator, kind: str | None = None, band: int = 2
) -> Gait:
    """``band`` is the apparent age (``people.BANDS``): the oldest stoop, step less."""
    kind = kind or str(rng.choice(KINDS, p=SHARES))
    moving = kind in ("walk", "phone", "push", "hold", FRAME)
    swing = rng.uniform(*STEPS[band]) if moving else rng.uniform(0.0, 0.15)
    stoop = max(0.0, rng.normal(*STOOP[band]))
    down, elbow, lift = rng.uniform(38, 50, 2), rng.uniform(8, 35, 2), np.zeros(2)
    busy = rng.permutation(2)[0]
    if kind == FRAME:
        lift, elbow = rng.uniform(10, 20, 2), rng.uniform(25, 40, 2)
    elif kind in ("push", "sit"):
        lift, elbow = rng.uniform(20, 40, 2), rng.uniform(45, 65, 2)
    elif kind in ("seat", "crouch"):
        lift, elbow = rng.uniform(5, 45, 2), rng.uniform(20, 95, 2)
    elif kind == "hold":
        lift, elbow = rng.uniform(15, 35, 2), rng.uniform(65, 95, 2)
    elif kind == "akimbo":
        elbow = rng.uniform(60, 100, 2)
    elif kind == "phone":
        lift[busy], elbow[busy] = rng.uniform(10, 40), rng.uniform(70, 125)
    elif kind == "reach":
        lift[busy], elbow[busy] = rng.uniform(60, 120), rng.uniform(0, 40)
    nod = rng.normal(16 if kind == "phone" else 4, 8)
    lean = rng.normal(LEAN_FORWARD + 18 * (kind == "crouch"), 3) + (
        rng.random() < 0.06
    ) * rng.uniform(15, 50)
    return Gait(
        kind, swing, pair(down), pair(elbow), pair(lift), lean,
        rng.normal(0, 3), (rng.normal(0, 20), nod, rng.normal(0, 4)), stoop,
    )  # fmt: skip


def pair(values: np.ndarray) -> tuple[float, float]:
    """Left and right."""
    left, right = values.tolist()
    return left, right


def turn(axis: tuple[float, float, float], degrees: float) -> np.ndarray:
    """Rodrigues' rotation."""
    a = np.asarray(axis, float) / np.linalg.norm(axis)
    t = np.radians(degrees)
    k = np.array([[0, -a[2], a[1]], [a[2], 0, -a[0]], [-a[1], a[0], 0]])
    matrix: np.ndarray = np.eye(3) + np.sin(t) * k + (1 - np.cos(t)) * k @ k
    return matrix


def leg(gait: Gait, phase: float, side: str) -> dict[str, np.ndarray]:
    if gait.kind == "sit":
        return {f"upperleg01.{side}": turn(X, -88), f"lowerleg01.{side}": turn(X, 86)}
    if gait.kind == "seat":
        return {f"upperleg01.{side}": turn(X, -84), f"lowerleg01.{side}": turn(X, 82)}
    if gait.kind == "crouch":
        up = turn(X, -112) @ turn(Z, 9 if side == "L" else -9)
        return {f"upperleg01.{side}": up, f"lowerleg01.{side}": turn(X, 138)}
    swing = gait.swing
    knee = swing * (12 + 34 * max(0.0, np.cos(phase)))  # bends while it swings forward
    return {
        f"upperleg01.{side}": turn(X, -26 * swing * np.sin(phase) - 4),
        f"lowerleg01.{side}": turn(X, knee),
        f"foot.{side}": turn(X, -8 * swing * np.sin(phase)),
    }


def arm(gait: Gait, phase: float, side: str) -> dict[str, np.ndarray]:
    i, sign = (0, 1) if side == "L" else (1, -1)
    lift = 22 * gait.swing * np.sin(phase) * (gait.raise_arm[i] < 5)
    upper = turn(X, lift - gait.raise_arm[i]) @ turn(Z, -sign * gait.arm_down[i])
    if gait.kind == "akimbo":
        upper = turn(Z, -sign * (gait.arm_down[i] - 14))
        fold = turn((0.1, 0, 1.0), -sign * gait.elbow[i])
    else:
        fold = turn((0.65, sign * 0.75, 0), -gait.elbow[i])
    return {f"upperarm01.{side}": upper, f"lowerarm01.{side}": fold}


def pose(gait: Gait, phase: float) -> dict[str, np.ndarray]:
    """Bone -> (3, 3) rotation."""
    out: dict[str, np.ndarray] = {}
    for side, shift in (("L", 0.0), ("R", np.pi)):
        out |= leg(gait, phase + shift, side)
        out |= arm(gait, phase + shift, side)
    sway = 6 * gait.swing * np.sin(phase)
    out["spine05"] = turn(X, gait.lean * 0.6)
    out["spine02"] = turn(Y, sway + gait.twist)
    out["spine03"] = turn(X, gait.stoop * 0.5)
    out["spine01"] = turn(X, gait.lean * 0.4 + gait.stoop * 0.6)
    yaw, nod, tilt = gait.neck
    out["neck01"] = turn(X, nod * 0.5 + gait.stoop * 0.3)
    out["head"] = turn(Y, yaw) @ turn(X, nod * 0.5 - gait.stoop) @ turn(Z, tilt)
    return out
