"""A voucher is typed by a person: slips are found, and its secret is never shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorsill.documents.voucher import (
    ALPHABET,
    LONGEST,
    ROOT,
    SECRET,
    Voucher,
    new_secret,
    new_serial,
    read_voucher,
    root_mark,
)
from doorsill.errors import ConfigError

MADE = Voucher(
    "fleet.example", 8443, "ds-4k7q2m9x", new_secret(bytes(range(10))), root_mark(b"x")
)
CODES = st.text(ALPHABET, min_size=SECRET, max_size=SECRET)
HOSTS = st.sampled_from(["fleet.example", "192.0.2.1", "2001:db8::1", "a"])


@given(HOSTS, st.integers(1, 65535), st.binary(min_size=5, max_size=5), CODES)
def test_what_is_printed_is_read_back(
    host: str, port: int, serial: bytes, secret: str
) -> None:
    made = Voucher(host, port, new_serial(serial), secret, root_mark(serial))
    assert read_voucher(made.text()) == made


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param(MADE.text().lower(), id="in lower case"),
        pytest.param(f"  {MADE.text()}\n", id="with blanks around it"),
        pytest.param(
            MADE.text().rpartition("/")[0]
            + "/"
            + MADE.secret
            + MADE.root
            + MADE.text()[-2:],
            id="without groups",
        ),
        pytest.param(
            MADE.text().rpartition("/")[0]
            + "/"
            + MADE.text().rpartition("/")[2].replace("0", "O").replace("1", "l"),
            id="with letters that look alike",
        ),
    ],
)
def test_a_person_may_type_it_as_they_see_it(typed: str) -> None:
    assert read_voucher(typed) == MADE


@given(st.integers(0, SECRET + ROOT - 1), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_found_before_anything_is_sent(
    at: int, other: str
) -> None:
    head, _, code = MADE.text().rpartition("/")
    flat = code.replace("-", "")
    typed = f"{head}/{flat[:at]}{other}{flat[at + 1 :]}"
    if other == flat[at]:
        assert read_voucher(typed) == MADE
        return
    try:
        found = read_voucher(typed)
    except ConfigError as error:
        assert "check characters" in str(error)
    else:  # one slip in 1024 has the same two check characters
        assert found != MADE


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "not one line such as", id="nothing"),
        pytest.param("x" * (LONGEST + 1), "not one line such as", id="a book"),
        pytest.param("https://fleet.example/", "not one line such as", id="a page"),
        pytest.param(
            MADE.text().replace(":8443", ":99999"), "port 99999", id="a port too high"
        ),
        pytest.param(
            MADE.text().replace(":8443", ":8444"), "check characters", id="another port"
        ),
        pytest.param(
            MADE.text().replace("fleet", "flaet"), "check characters", id="another host"
        ),
        pytest.param(
            MADE.text().replace("ds-4k7q2m9x", "cam-01"), "none of ours", id="no serial"
        ),
        pytest.param(MADE.text()[:-5], "of 44 characters", id="cut off"),
    ],
)
def test_what_is_no_voucher_is_refused_in_words(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_voucher(text)


@given(st.text(max_size=80))
def test_any_text_is_a_voucher_or_a_sentence(text: str) -> None:
    with pytest.raises(ConfigError):
        read_voucher(f"doorsill://{text}")


def test_neither_an_error_nor_a_log_shows_the_secret() -> None:
    assert MADE.secret not in repr(MADE)
    with pytest.raises(ConfigError) as found:
        read_voucher(MADE.text().replace(":8443", ":1"))
    assert MADE.secret[:4] not in str(found.value)
