"""Where things lie: the one file of the tests that knows how deep it stands."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"
SHARED = ROOT.parent / "shared" / "data"  # recordings, models and what others measured
TESTS = ROOT / "tests"
WORLDS = TESTS / "worlds"
