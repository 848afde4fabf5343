"""The register's tables. All times are whole seconds in UTC."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from doorsill_fleet.store.schema import NAME_MOST, WHY_MOST, Base

EXPECTED, ACTIVE, REVOKED, RETIRED = "expected", "active", "revoked", "retired"
HASH, NAME = String(64), String(NAME_MOST)
HOST_MOST = 253  # characters of the name of a host


class Site(Base):
    """A shop; ``approves``: a person looks at each new key before it is certified."""

    __tablename__ = "sites"
    name: Mapped[str] = mapped_column(NAME, primary_key=True)
    approves: Mapped[bool]
    added: Mapped[int] = mapped_column(BigInteger)


class Device(Base):
    """A camera, by the serial number on its label; keys are hashes of public keys."""

    __tablename__ = "devices"
    __table_args__ = (UniqueConstraint("site", "name"),)
    serial: Mapped[str] = mapped_column(NAME, primary_key=True)
    site: Mapped[str] = mapped_column(ForeignKey("sites.name"))
    name: Mapped[str] = mapped_column(NAME)
    state: Mapped[str] = mapped_column(NAME)
    added: Mapped[int] = mapped_column(BigInteger)
    asked_key: Mapped[str | None] = mapped_column(HASH, default=None)
    approved_key: Mapped[str | None] = mapped_column(HASH, default=None)


class VoucherRow(Base):
    """A voucher that was handed out; the secret itself is kept nowhere."""

    __tablename__ = "vouchers"
    secret_hash: Mapped[str] = mapped_column(HASH, primary_key=True)
    serial: Mapped[str] = mapped_column(ForeignKey("devices.serial"), index=True)
    expires: Mapped[int] = mapped_column(BigInteger)
    used: Mapped[int | None] = mapped_column(BigInteger, default=None)
    used_by: Mapped[str | None] = mapped_column(
        HASH, default=None
    )  # hash of a public key


class CertificateRow(Base):
    """A certificate that was issued."""

    __tablename__ = "certificates"
    fingerprint: Mapped[str] = mapped_column(HASH, primary_key=True)
    serial: Mapped[str] = mapped_column(ForeignKey("devices.serial"), index=True)
    key: Mapped[str] = mapped_column(HASH, index=True)  # hash of its public key
    pem: Mapped[str] = mapped_column(Text)
    issued: Mapped[int] = mapped_column(BigInteger)
    ends: Mapped[int] = mapped_column(BigInteger)
    revoked: Mapped[int | None] = mapped_column(BigInteger, default=None)
    why: Mapped[str] = mapped_column(String(WHY_MOST), default="")


class PolicyRow(Base):
    """A policy that was signed for one camera; a version is taken once for a site."""

    __tablename__ = "policies"
    site: Mapped[str] = mapped_column(NAME, primary_key=True)
    device: Mapped[str] = mapped_column(NAME, primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    digest: Mapped[str] = mapped_column(HASH)  # of its body, as windows name it
    received: Mapped[str] = mapped_column(HASH)  # of its bytes, as a refusal names it
    document: Mapped[str] = mapped_column(Text)
    signed: Mapped[int] = mapped_column(BigInteger)
    pushed: Mapped[int | None] = mapped_column(BigInteger, default=None)
    # When a push first heard that the camera obeys it.
    in_force: Mapped[int | None] = mapped_column(BigInteger, default=None)


class RetirementRow(Base):
    """The signed record of a device's end."""

    __tablename__ = "retirements"
    serial: Mapped[str] = mapped_column(ForeignKey("devices.serial"), primary_key=True)
    retired: Mapped[int] = mapped_column(BigInteger)
    record: Mapped[str] = mapped_column(Text)


class SiteBroker(Base):
    """The broker of a shop that has its own; its cameras go there."""

    __tablename__ = "site_brokers"
    site: Mapped[str] = mapped_column(ForeignKey("sites.name"), primary_key=True)
    host: Mapped[str] = mapped_column(String(HOST_MOST))
    port: Mapped[int] = mapped_column(Integer)
