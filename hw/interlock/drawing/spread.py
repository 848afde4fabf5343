"""The distribution of a series of boards, as SVG."""

from __future__ import annotations

from collections.abc import Sequence

WIDE, TALL, LEFT, BINS = 560, 150, 60, 28


def draw(
    says: str, found_ms: Sequence[float], limit_ms: float, unit: str = "ms"
) -> str:
    """A histogram of times in ms, with its worst beside the limit."""
    low, high = min(found_ms), max(found_ms)
    span = (high - low) or 1e-9
    counts = [0] * BINS
    for each in found_ms:
        counts[min(int((each - low) / span * BINS), BINS - 1)] += 1
    most = max(counts)
    bars = [
        f'<rect x="{LEFT + WIDE * n / BINS:.1f}" y="{40 + TALL * (1 - c / most):.1f}" '
        f'width="{WIDE / BINS - 1:.1f}" height="{TALL * c / most:.1f}" fill="#1d4e89"/>'
        for n, c in enumerate(counts)
    ]
    size = f'width="{LEFT + WIDE + 40}" height="{TALL + 90}"'
    span_text = f"{low:.3f} to {high:.3f} {unit}"
    summary = f"{len(found_ms)} boards: {span_text}; limit {limit_ms:g} {unit}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
            "<style>text{font-family:DejaVu Sans,sans-serif;font-size:12px}</style>",
            '<rect width="100%" height="100%" fill="white"/>',
            f'<text x="16" y="24" font-weight="bold">{says}</text>',
            *bars,
            f'<path d="M{LEFT} {40 + TALL}h{WIDE}" stroke="#555"/>',
            f'<text x="{LEFT}" y="{TALL + 58}">{low:.3f}</text>',
            f'<text x="{LEFT + WIDE - 30}" y="{TALL + 58}">{high:.3f} {unit}</text>',
            f'<text x="{LEFT}" y="{TALL + 80}">{summary}</text>',
            "</svg>",
            "",
        ]
    )
