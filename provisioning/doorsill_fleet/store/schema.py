"""The tables of the office's store, for every database that SQLAlchemy speaks to.

    line_windows     who crossed a line in a minute, once; zone_windows the same
    attributes       apparent looks of k people or more
    latest           the last live, health, state and certificate of a device
    senders          who was heard, when, and how much of it was refused
    quarantine       messages that are no camera's
    deletions        what was deleted, when, and why

Times are UTC seconds. A window's key is (site, device, place, start, epoch): a device
reports each minute once, and begins a new epoch where its clock was set back. The
schema moves in steps (``migrations/``); other rooms of the office put their tables on
``Base`` as well, and take a step of their own.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Integer, MetaData, SmallInteger, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAME_MOST = 16  # characters of the name of a site or device
WHY_MOST = 200  # characters of a reason
TEXT_MOST = 1024  # characters of a topic or message that was set aside
MESSAGE_MOST = 4096  # characters of the longest message of a camera, a certificate
# Each constraint has a name, so that a later step can name it.
NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """What all tables of the office stand on."""

    metadata = MetaData(naming_convention=NAMES)


class _Keyed:
    """Who sent it: the two names in the topic, which the broker holds to the key."""

    site: Mapped[str] = mapped_column(String(NAME_MOST), primary_key=True)
    device: Mapped[str] = mapped_column(String(NAME_MOST), primary_key=True)


class _Span(_Keyed):
    """A span of time at one place, and what is known of how it was observed."""

    place: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    end: Mapped[int] = mapped_column(BigInteger)
    is_historical: Mapped[bool] = mapped_column(Boolean)  # late, says the device
    doubt: Mapped[str] = mapped_column(String(8))  # "", "old" or "future": see doubt.py
    received: Mapped[int] = mapped_column(BigInteger)  # by our own clock
    firmware: Mapped[str] = mapped_column(String(NAME_MOST))
    model: Mapped[str] = mapped_column(String(32))
    policy: Mapped[str] = mapped_column(String(32))


class _Window(_Span):
    """One minute."""

    epoch: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    coverage_s: Mapped[int] = mapped_column(SmallInteger)
    quality: Mapped[str] = mapped_column(String(WHY_MOST))  # words, a space between


class LineWindow(_Window, Base):
    """Who crossed one line in one minute; place is the line."""

    __tablename__ = "line_windows"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012
    count_in: Mapped[int] = mapped_column(Integer)
    count_out: Mapped[int] = mapped_column(Integer)
    total_in: Mapped[int] = mapped_column(BigInteger)  # since the epoch began
    total_out: Mapped[int] = mapped_column(BigInteger)


class ZoneWindow(_Window, Base):
    """Who left one zone in one minute; empty where fewer than k left."""

    __tablename__ = "zone_windows"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012
    visits: Mapped[int] = mapped_column(Integer)
    dwell_s: Mapped[int | None] = mapped_column(BigInteger)
    occupancy_max: Mapped[int | None] = mapped_column(Integer)
    occupancy_mean_milli: Mapped[int | None] = mapped_column(Integer)


class AttributeSpan(_Span, Base):
    """Looks of k people or more, with noise; place is the line."""

    __tablename__ = "attributes"
    end: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    people: Mapped[int] = mapped_column(BigInteger)
    age_child: Mapped[int] = mapped_column(Integer)
    age_adult: Mapped[int] = mapped_column(Integer)
    age_unknown: Mapped[int] = mapped_column(Integer)
    expression_feminine: Mapped[int] = mapped_column(Integer)
    expression_masculine: Mapped[int] = mapped_column(Integer)
    expression_unknown: Mapped[int] = mapped_column(Integer)
    k: Mapped[int] = mapped_column(SmallInteger)
    epsilon_micro: Mapped[int] = mapped_column(Integer)


class Latest(_Keyed, Base):
    """The last message of a stream that is of the moment: live, health, state."""

    __tablename__ = "latest"
    stream: Mapped[str] = mapped_column(String(NAME_MOST), primary_key=True)
    time: Mapped[int] = mapped_column(BigInteger)  # the device's clock; state: 0
    received: Mapped[int] = mapped_column(BigInteger)
    payload: Mapped[str] = mapped_column(String(MESSAGE_MOST))


class Sender(_Keyed, Base):
    """Who was heard. Both names are empty for all topics that are no camera's."""

    __tablename__ = "senders"
    heard: Mapped[int] = mapped_column(BigInteger)  # last, by our own clock
    newest: Mapped[int] = mapped_column(BigInteger)  # end of its newest window, or 0
    kept: Mapped[int] = mapped_column(BigInteger)  # windows that were new
    repeated: Mapped[int] = mapped_column(BigInteger)  # windows that came again
    refused: Mapped[int] = mapped_column(BigInteger)  # messages that were set aside


class SetAside(Base):
    """A message that the schema forbids; its text only where it is text."""

    __tablename__ = "quarantine"
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    received: Mapped[int] = mapped_column(BigInteger)
    site: Mapped[str] = mapped_column(String(NAME_MOST))
    device: Mapped[str] = mapped_column(String(NAME_MOST))
    topic: Mapped[str] = mapped_column(String(TEXT_MOST))
    why: Mapped[str] = mapped_column(String(WHY_MOST))
    size: Mapped[int] = mapped_column(BigInteger)  # bytes
    sha256: Mapped[str] = mapped_column(String(64))
    text: Mapped[str | None] = mapped_column(String(TEXT_MOST))


class Deletion(Base):
    """What was deleted from one table, so that a hole is explained."""

    __tablename__ = "deletions"
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    deleted: Mapped[int] = mapped_column(BigInteger)  # when
    name: Mapped[str] = mapped_column(String(32))  # of the table
    site: Mapped[str] = mapped_column(String(NAME_MOST))  # empty: of every site
    device: Mapped[str] = mapped_column(String(NAME_MOST))
    before: Mapped[int] = mapped_column(BigInteger)  # rows that began before this
    rows: Mapped[int] = mapped_column(BigInteger)
    oldest: Mapped[int] = mapped_column(BigInteger)
    newest: Mapped[int] = mapped_column(BigInteger)
