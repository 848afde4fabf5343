"""Where a camera stands, and where a point of the world falls in its picture.

Metres, y up; a picture's (0, 0) is its upper left corner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from doorsill_train.shards import HEIGHT, WIDTH


@dataclass(slots=True)
class Camera:
    """``focal`` in pixels of a 320-wide image."""

    eye: np.ndarray
    view: np.ndarray  # (4, 4)
    focal: float
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def matrix(self) -> np.ndarray:
        near, far = 0.1, 60.0
        p = np.zeros((4, 4))
        p[0, 0], p[1, 1] = 2 * self.focal / self.width, 2 * self.focal / self.height
        p[2, 2] = (far + near) / (near - far)
        p[2, 3], p[3, 2] = 2 * far * near / (near - far), -1
        matrix: np.ndarray = p @ self.view
        return matrix

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """World (n, 3) -> pixels (n, 2) and depth (n,)."""
        cam = points @ self.view[:3, :3].T + self.view[:3, 3]
        depth = np.maximum(-cam[:, 2], 1e-3)
        u = self.width / 2 + self.focal * cam[:, 0] / depth
        v = self.height / 2 - self.focal * cam[:, 1] / depth
        return np.stack([u, v], axis=1), -cam[:, 2]

    def ray(self, u: float, v: float) -> np.ndarray:
        x, y = (u - self.width / 2) / self.focal, -(v - self.height / 2) / self.focal
        way: np.ndarray = self.view[:3, :3].T @ np.array([x, y, -1.0])
        return way


def look(eye: np.ndarray, at: np.ndarray, up: np.ndarray) -> np.ndarray:
    f = (at - eye) / np.linalg.norm(at - eye)
    r = np.cross(f, up)
    r /= np.linalg.norm(r)
    m = np.eye(4)
    m[0, :3], m[1, :3], m[2, :3] = r, np.cross(r, f), -f
    m[:3, 3] = -m[:3, :3] @ eye
    return m


def place(
    angle: float, x: float, z: float, size: float = 1.0, y: float = 0.0
) -> np.ndarray:
    """(4, 4): turned around y, scaled, moved."""
    m = np.eye(4)
    c, s = np.cos(angle) * size, np.sin(angle) * size
    m[0, 0], m[0, 2], m[2, 0], m[2, 2], m[1, 1] = c, s, -s, c, size
    m[0, 3], m[1, 3], m[2, 3] = x, y, z
    return m
