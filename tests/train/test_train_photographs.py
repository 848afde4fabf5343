"""Photographs: what the table says, what is taken, and what a scene makes of it."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from doorsill.values import Frame
from doorsill_train.paint.painter import LAYERS, TILE
from doorsill_train.paint.photographs import STORED, USES, Photographs, light_of
from doorsill_train.places import pictures
from doorsill_train.publish import photographs
from doorsill_train.publish.photographs import Picture

FREE = ("CC0", "CC-BY", "CC-BY-SA", "GPL", "public-domain")
PEOPLE = ("mannequin", "reallusion", "woman", "girl", "boy", "portrait", "face")


def png(colour: int, size: tuple[int, int] = (300, 260)) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", size, (colour, 20, 90)).save(held, "PNG")
    return held.getvalue()


def npm_package(folder: Path, files: dict[str, bytes]) -> Path:
    """As ``npm pack`` leaves one."""
    with tarfile.open(folder / "some-thing-1.0.0.tgz", "w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return folder / "some-thing-1.0.0.tgz"


def row(path: str, data: bytes, *uses: str, package: str = "@some/thing") -> Picture:
    return Picture(package, path, hashlib.sha256(data).hexdigest(), "CC0", uses)


def stored(folder: Path, **grey: int) -> Photographs:
    """One tile of one grey for each use, and a light."""
    np.save(folder / "tiles.npy", np.array(
        [np.full((STORED, STORED, 3), level, np.uint8) for level in grey.values()]
    ))  # fmt: skip
    np.save(folder / "lights.npy", np.ones((1, 16, 32, 3), np.float32))
    (folder / "uses.json").write_text(json.dumps([[use] for use in grey]))
    return Photographs(folder)


def test_every_picture_has_a_hash_a_free_licence_and_a_use() -> None:
    rows = photographs.read_table()
    assert len({each.sha256 for each in rows}) == len(rows)
    for each in rows:
        assert len(bytes.fromhex(each.sha256)) == 32
        assert each.licence.startswith(FREE), each.path
        assert not any(word in each.path.lower() for word in PEOPLE)
    used = {use for each in rows for use in each.uses}
    assert used == {*USES, photographs.LIGHT}


def test_a_use_that_is_none_is_named(tmp_path: Path) -> None:
    table = tmp_path / "table.tsv"
    table.write_text("# a comment\na\tb.png\t00\tCC0\tceiling\n")
    with pytest.raises(ValueError, match=r"b\.png has the uses 'ceiling'"):
        photographs.read_table(table)


def test_what_lies_in_an_archive_of_a_package_is_found(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("wood.png", png(1))
    files = {
        "package/a.png": png(2),
        "package/b.png": png(3),
        "c.zip": inner.getvalue(),
    }
    file = npm_package(tmp_path, files)
    wanted = {"package/a.png", "c.zip!wood.png", "c.zip!none.png", "not there"}
    found = dict(photographs.members(file, wanted))
    assert found == {
        "package/a.png": png(2),
        "c.zip!wood.png": png(1),
        "c.zip!none.png": b"",
    }


def test_a_picture_that_is_another_than_the_table_names_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    npm_package(tmp_path, {"a.png": png(2), "b.png": png(3)})
    rows = [row("a.png", png(2), "wall"), row("b.png", png(9), "wall")]
    tiles, lights = photographs.collect(rows, tmp_path)
    assert [each.path for each, _ in tiles] == ["a.png"]
    assert tiles[0][1].shape == (STORED, STORED, 3)
    assert not lights
    assert "left out: @some/thing b.png" in capsys.readouterr().out


def test_somebody_is_seen_in_a_tile_of_any_size() -> None:
    class Sure:
        fit = (320, 256)

        def detect(self, frame: Frame) -> object:
            assert frame.pixels.shape == (256, 256, 3)
            return type("Found", (), {"scores": np.array([0.2, 0.7])})

    tile = np.zeros((STORED, STORED, 3), np.uint8)
    assert photographs.somebody(Sure(), tile) == 0.7  # type: ignore[arg-type]


def test_a_sheet_shows_every_tile(tmp_path: Path) -> None:
    tiles = [np.full((8, 8, 3), level, np.uint8) for level in range(200)]
    photographs.write_sheets(tiles, [""] * 200, tmp_path)
    side = photographs.SIDE
    with Image.open(tmp_path / "sheet-0.png") as first:
        assert first.size == (photographs.ACROSS * side,) * 2
    with Image.open(tmp_path / "sheet-1.png") as second:
        assert second.getpixel((side * 3 + 9, 9)) == (199,) * 3


def test_a_surface_gets_a_picture_of_its_use(tmp_path: Path) -> None:
    shown = stored(tmp_path, ground=50, wall=100, view=150, goods=200, cloth=250)
    rng = np.random.default_rng(1)
    means = {
        use: np.mean([shown.tile(use, rng).mean() for _ in range(40)]) for use in USES
    }
    assert list(means) == sorted(means, key=lambda use: means[use])
    made = pictures.Pictures(shown).of_scene(rng)
    assert made.shape == (LAYERS, TILE, TILE, 3)
    assert made.dtype == np.uint8


def test_light_from_one_side_above_is_a_sun_there() -> None:
    around = np.full((16, 32, 3), 0.1)
    around[4, 8] = 40, 36, 30
    light = light_of(around, np.random.default_rng(1))
    assert np.linalg.norm(light.sun_to) == pytest.approx(1)
    turn = np.arctan2(light.sun_to[2], light.sun_to[0])
    assert turn == pytest.approx(8.5 / 32 * 2 * np.pi)
    assert light.sun[0] > light.sun[2], "warm"
    assert (light.sky > light.ground * 0.9).all()


def test_night_and_noon_light_a_room_alike() -> None:
    """Exposure is drawn later: only where light comes from is a place's own."""
    dim, bright = (np.full((16, 32, 3), level) for level in (1e-3, 50.0))
    for around in (dim, bright):
        light = light_of(around, np.random.default_rng(2))
        assert 0.3 < light.sky.mean() < 1
        assert (light.ground <= 1.2).all()


def test_without_photographs_all_is_invented() -> None:
    made = pictures.Pictures().of_scene(np.random.default_rng(3))
    assert made.shape == (LAYERS, TILE, TILE, 3)
    assert pictures.Pictures().light(np.random.default_rng(3)) is None


def test_now_and_then_an_earlier_scene_is_on_a_poster() -> None:
    still = np.zeros((256, 320, 3), np.uint8)
    kept = pictures.Pictures(still=still)
    rng = np.random.default_rng(4)
    posters = [not kept.of_scene(rng)[pictures.POSTER].any() for _ in range(200)]
    assert np.mean(posters) == pytest.approx(pictures.STILL_P, abs=0.06)


def test_a_client_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="comes by npm, which is not installed"):
        photographs.fetched("@some/thing", tmp_path)
