"""The vault as a process: real card stack, real confinement, real certificates."""

from collections.abc import Iterator

import pytest
from vault_process import VaultProcess


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultProcess]:
    with VaultProcess(tmp_path_factory.mktemp("v")) as made:
        yield made


def test_blank_open_blank(site: VaultProcess) -> None:
    site.start()
    assert site.offer() == 0
    site.stage.insert()
    site.until_open()
    site.fill(5)
    told = site.status()
    assert told["purpose"] == "validation" and told["bytes"] > 0
    site.stage.pull()
    site.until_blank()
    assert site.offer() == 0
    assert site.stop() == 0
    assert site.reasons() == ["start", "removed", "shutdown"]
    lease = site.chain()[1].body["leases"][0]
    assert lease["sealed"] >= 5 and lease["reason"] == "removed"
