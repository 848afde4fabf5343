"""Which models may run on a device: those that its signed policy names.

A policy that names none means those that came with this doorsill. A model decides what
is seen and counted, so no unsigned file may put another in its place.
"""

from __future__ import annotations

from collections.abc import Collection

from doorsill.errors import UntrustedError
from doorsill.models.manifest import load_manifest, manifests

Allowed = frozenset[str]  # SHA-256, hexadecimal


def allowed_models(named: Collection[str]) -> Allowed:
    """The models that may run under a policy that names ``named``, by SHA-256."""
    return frozenset(named or shipped_hashes())


def require_allowed(digest: str, allowed: Allowed | None, name: str) -> str:
    """Give ``digest`` back if that model may run; None allows any, for an evaluation.

    Raises UntrustedError otherwise.
    """
    if allowed is None or digest in allowed:
        return digest
    raise UntrustedError(
        f"the model {name} has SHA-256 {digest}, which the policy does not let run; "
        "take one that came with doorsill, or name it in the policy's models and sign"
    )


def shipped_hashes() -> dict[str, str]:
    """The models that came with this installation: SHA-256 and name."""
    return {load_manifest(path).sha256: path.stem for path in manifests()}
