"""The body's surface: skin tones, scalp, brows, lips, beard and the marks of age."""

from __future__ import annotations

import numpy as np

from doorsill_train.people.bodies import Atlas
from doorsill_train.people.dress import LIPS, SCALP, Part, head_weight
from doorsill_train.people.style import Style

# skin tones from light to dark, linear steps between sRGB anchors; group = index // 2
LIGHT_TONES = [[244, 214, 194], [230, 188, 160], [206, 158, 124]]
DARK_TONES = [[166, 116, 82], [120, 78, 54], [72, 46, 34]]
TONES = np.array([*LIGHT_TONES, *DARK_TONES]) / 255


def skin_colour(tone: float) -> np.ndarray:
    """Linear, 0 light .. 5 dark."""
    at = int(min(tone, 4.999))
    linear: np.ndarray = (
        TONES[at] + (tone - at) * (TONES[min(at + 1, 5)] - TONES[at])
    ) ** 2.2
    return linear


def body_part(atlas: Atlas, body: np.ndarray, hidden: np.ndarray, style: Style) -> Part:
    """Skin, with scalp, brows, lips, beard and the marks of age painted by place."""
    faces = atlas.faces["body"]
    faces = faces[~hidden[faces].all(axis=1)]
    used, inverse = np.unique(faces, return_inverse=True)
    head = head_weight(atlas)[used] > 0.5
    rest = body[used]
    low, high = rest[head].min(axis=0), rest[head].max(axis=0)
    at = (rest - (low + high) / 2) / (high - low) * 2  # -1..1 over the head
    bind = np.repeat(used[:, None], 3, axis=1)
    faces = inverse.reshape(-1, 3).astype(np.int32)
    slot, shade = painted(at, head, style), aged(at, head, style.wrinkles)
    return Part(
        rest, faces, slot, head * 1.0, bind, np.ones((len(used), 3)), shade=shade
    )


def painted(at: np.ndarray, head: np.ndarray, style: Style) -> np.ndarray:
    """Palette slot of each body vertex; ``at`` is -1..1 over the head."""
    x, y, z = np.abs(at[:, 0]), at[:, 1], at[:, 2]
    slot, face = np.zeros(len(at)), head & (at[:, 2] > 0.35)
    crown = (y > 0.62) | ((z < 0.05) & (y > -0.35))
    if style.scalp == "thinned":
        crown &= (y < 0.45) | (z < -0.45)
    if style.scalp != "bare":
        slot[head & crown] = SCALP
    slot[face & (np.abs(y - 0.26) < 0.045) & (x < 0.6)] = SCALP
    slot[face & (np.abs(y + 0.47) < 0.06) & (x < 0.26)] = LIPS
    if style.beard == "full":
        jaw = head & (y < -0.3) & (z > -0.1) & (slot != LIPS)
        slot[jaw & ((y < -0.55) | (x > 0.3))] = SCALP
    if style.beard != "none":
        slot[face & (np.abs(y + 0.36) < 0.06) & (x < 0.3)] = SCALP
    return slot


def aged(at: np.ndarray, head: np.ndarray, wrinkles: float) -> np.ndarray:
    """How light each body vertex is: eyes, and with age hollows, folds and lines."""
    x, y, z = np.abs(at[:, 0]), at[:, 1], at[:, 2]
    face, shade = head & (z > 0.2), np.ones(len(at))
    eye = face & (np.abs(y - 0.13) < 0.055) & (np.abs(x - 0.36) < 0.14)
    hollow = face & (np.abs(y - 0.04) < 0.12) & (np.abs(x - 0.38) < 0.24)
    fold = (
        face & (np.abs(x - 0.36 - 0.15 * (-0.3 - y)) < 0.08) & (np.abs(y + 0.38) < 0.22)
    )
    lines = face & (y > 0.34) & (y < 0.66) & (np.sin(y * 42) > 0.2)
    cheek = face & (np.abs(y + 0.2) < 0.22) & (np.abs(x - 0.6) < 0.15)
    for where, depth in ((hollow, 0.9), (fold, 1.0), (lines, 0.7), (cheek, 0.6)):
        shade[where] *= 1 - depth * wrinkles
    shade[eye] *= 0.5
    return shade
