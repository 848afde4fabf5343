"""Where the models that we ship lie, with their cards and what was measured of them."""

from __future__ import annotations

from pathlib import Path

MODELS = Path(__file__).resolve().parent.parent
GOLDEN = MODELS / "eval" / "golden.json"
LABELS = MODELS / "eval" / "labels" / "real.json"  # heads on frames of the real clips
