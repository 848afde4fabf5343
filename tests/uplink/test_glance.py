"""A technician sees what waits, and changes nothing by looking."""

from __future__ import annotations

from pathlib import Path

import pytest
from outboxes import batch, numbers, open_outbox

from doorsill.errors import UplinkError
from doorsill.privacy.budget import Ledger
from doorsill.uplink.outbox_view import Glance, glance
from doorsill.uplink.rows import Batch


def test_what_waits_is_seen_while_the_uplink_works(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path, rows=4)
    outbox.store(batch(1, 2, 3, 4, 5))
    outbox.store(Batch(ledger=Ledger(7, 250_000)))
    outbox.bury([outbox.due(1)[0].id])
    assert glance(tmp_path / "outbox.db") == Glance(3, 1, 1, 1, 0, 0, 7, 250_000)
    assert numbers(outbox) == [3, 4, 5]
    outbox.close()


@pytest.mark.parametrize("content", [None, b"", b"noise" * 999])
def test_what_is_no_outbox_gets_a_sentence_and_stays_as_it_is(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "outbox.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UplinkError, match="cannot read the outbox"):
        glance(path)
    assert [each.name for each in tmp_path.iterdir()] == (
        [] if content is None else ["outbox.db"]
    )
