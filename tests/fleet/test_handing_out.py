"""The labels that an office prints: what a scanner reads is what the table says."""

from __future__ import annotations

import csv
import io
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from limits import PROGRAM_S

from doorsill.documents.voucher import Voucher, read_voucher
from doorsill_fleet.registry.devices import HandedOut
from doorsill_fleet.registry.handing_out import COLUMNS, ROWS, Label, as_csv, as_pdf

ENDS = datetime(2027, 1, 31, tzinfo=UTC)
DOTS = 150  # of an inch, as a cheap printer and a phone see it
PAGE = COLUMNS * ROWS
LONGEST = "a-very-long-name-of-a-server.fleet.department.stores.example"


def labels(count: int, host: str = "fleet.stores.example") -> list[Label]:
    """So many cameras of one shop, each with a voucher of its own."""
    found = []
    for number in range(count):
        serial, secret = f"ds-4k7q2m{number:02}", f"AB3D7K2MAB3D{number:04}"
        made = HandedOut(serial, "lisboa-rossio-1", f"cam-{number:02}", ENDS, secret)
        found.append(Label(made, Voucher(host, 8443, serial, secret, "Z" * 26)))
    return found


def pages(pdf: bytes, folder: Path) -> list[Path]:
    """The pages as pictures."""
    (folder / "labels.pdf").write_bytes(pdf)
    render = ["pdftoppm", "-r", str(DOTS), "-png", "labels.pdf", "page"]
    subprocess.run(render, cwd=folder, check=True, timeout=PROGRAM_S)
    return sorted(folder.glob("page*.png"))


def scanned(page: Path) -> set[str]:
    """What a scanner reads on a page."""
    command = ["zbarimg", "--nodbus", "--quiet", "--raw", str(page)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=PROGRAM_S
    )
    return set(done.stdout.split())


def tabled(found: Sequence[Label]) -> set[str]:
    rows = csv.DictReader(io.StringIO(as_csv(found).decode()))
    return {each["voucher"] for each in rows}


@pytest.mark.parametrize(
    ("count", "host"),
    [
        pytest.param(1, "10.0.0.2", id="one"),
        pytest.param(PAGE, LONGEST, id="a full page, and a long name"),
        pytest.param(PAGE + 1, "2001:db8::17", id="a second page, and IPv6"),
    ],
)
def test_a_scanner_reads_each_voucher_as_the_table_has_it(
    tmp_path: Path, count: int, host: str
) -> None:
    found = labels(count, host)
    sheet = pages(as_pdf(found), tmp_path)
    assert len(sheet) == -(-count // PAGE)
    read = set().union(*map(scanned, sheet))
    assert read == tabled(found) and len(read) == count
    assert {read_voucher(each).serial for each in read} == {
        each.made.serial for each in found
    }


def test_a_person_reads_the_same_who_has_no_scanner(tmp_path: Path) -> None:
    (label,) = labels(1, LONGEST)
    (tmp_path / "labels.pdf").write_bytes(as_pdf([label]))
    done = subprocess.run(
        ["pdftotext", "-layout", "labels.pdf", "-"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=PROGRAM_S,
    )
    typed = "".join(done.stdout.split())
    assert label.voucher.text() in typed
    assert "lisboa-rossio-1cam-00" in typed
    assert "goodonce,until2027-01-31" in typed


def test_the_sheet_is_the_same_to_the_byte(tmp_path: Path) -> None:
    assert as_pdf(labels(3)) == as_pdf(labels(3))
