"""The medium is blanked before anything of the device is read, with anything wrong."""

from pathlib import Path

import pytest
from turned import YESTERDAY, Shop

from doorsill.drivers.media.medium import NoAnswer, read_all
from doorsill.drivers.media.memory import MemoryMedium
from doorsill.drivers.media.sram import SramMedium
from doorsill.drivers.media.sram_chip import SimulatedSram
from doorsill.errors import ConfigError, UntrustedError
from doorsill.services import vault_opening
from doorsill.vault.marker import MARKER_NAME

STARTS = 40  # of each file here; `make fuzz` makes 1,500


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop"))


@pytest.mark.parametrize("name", ["key", "policy", "marker", "certificate"])
def test_a_start_with_one_bit_turned_ends_blank_or_running(
    shop: Shop, name: str
) -> None:
    before = len(shop.verified()) if name != "certificate" else 0
    assert shop.spoilt(name, STARTS, seed=3) == []
    if name in ("policy", "marker"):  # and an inspector accepts what was signed
        assert len(shop.verified()) == before + STARTS


def test_without_the_blanking_at_the_start_it_is_seen(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr(vault_opening, "blank_first", lambda medium: False)
    assert any("NOT BLANK" in each for each in shop.spoilt("certificate", 20, seed=3))


BREAKAGES = [
    pytest.param(ValueError("no such curve"), id="the library's own error"),
    pytest.param(MemoryError(), id="no memory"),
    pytest.param(KeyboardInterrupt(), id="a person in a hurry"),
    pytest.param(SystemExit(1), id="an exit"),
]


@pytest.mark.parametrize("error", BREAKAGES)
def test_whatever_fails_while_the_device_is_read_it_is_blank(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(vault_opening.identity, "read", broken)
    shop.medium.write_bytes(YESTERDAY * 2000)
    with (
        pytest.raises(type(error)),
        vault_opening.only_one(shop.config),
        vault_opening.open_vault(shop.config),
    ):
        pass
    assert not any(shop.medium.read_bytes())


def test_what_was_blanked_first_is_in_the_chain_though_it_was_said_before(
    tmp_path: Path,
) -> None:
    """Started again in one boot it says nothing, unless there was something left."""
    shop = Shop(tmp_path)
    (shop.folder / MARKER_NAME).unlink()
    assert shop.start() == "blank, running"
    for left, more in ((b"\0", 0), (YESTERDAY, 1), (b"\0", 0)):
        shop.medium.write_bytes(left * (65536 // len(left)))
        before = len(shop.verified())
        assert shop.start() == "blank, running"
        assert len(shop.verified()) == before + more


class Broken(MemoryMedium):
    """Cannot be read any more, but be written."""

    def read_back(self, offset: int, size: int) -> bytes:
        raise UntrustedError("the medium cannot be read back")

    def held(self) -> bytes:
        return super().read_back(0, self.facts.size)


def test_a_medium_that_cannot_be_read_is_overwritten_all_the_same() -> None:
    medium = Broken(65536)
    with pytest.raises(UntrustedError, match="cannot be read back"):
        medium.append(b"face")
    assert medium.held()[:4] == b"face"  # the control
    assert vault_opening.blank_first(medium) is False
    assert not any(medium.held())
    medium.close()


def test_a_medium_that_is_nought_is_left_alone() -> None:
    medium = MemoryMedium(65536)
    assert vault_opening.blank_first(medium) is True
    medium.close()


def test_a_memory_without_power_does_not_stop_the_start() -> None:
    chip = SimulatedSram()
    chip.power_off()
    medium = SramMedium(chip)
    assert vault_opening.blank_first(medium) is False
    with pytest.raises(NoAnswer):
        read_all(medium, b"")


def test_a_folder_that_cannot_be_written_is_a_sentence(shop: Shop) -> None:
    folder = shop.folder
    kept = folder.with_name("kept")
    folder.rename(kept)
    folder.write_bytes(b"a file")
    try:
        with (
            pytest.raises(ConfigError, match="cannot write in its folder"),
            vault_opening.only_one(shop.config),
        ):
            pass
    finally:
        folder.unlink()
        kept.rename(folder)
    assert folder.is_dir()
