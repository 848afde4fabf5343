"""Names of time zones that the next system of a camera will still have.

Debian 13 moved old names (US/Eastern, Portugal) into a package that few systems have. A
policy with such a name would stop a camera after its update.
"""

from __future__ import annotations

from pathlib import Path

from doorsill.errors import ConfigError
from doorsill.policy.document import Policy

TABLE = Path("/usr/share/zoneinfo/zone.tab")  # a name for each zone of each country


def require_lasting_zone(policy: Policy, table: Path = TABLE) -> Policy:
    """Return ``policy`` if its time zone is no old name; else ConfigError.

    If this system has no table of names, every name that it knows is accepted.
    """
    name = policy.timezone
    if not policy.keeps_hours or name == "UTC" or name.startswith("Etc/"):
        return policy
    try:
        rows = table.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return policy
    names = {row.split("\t")[2] for row in rows if row.count("\t") >= 2}
    if names and name not in names:
        raise ConfigError(
            f"policy.timezone = {name!r} is an old name, which newer systems do not "
            "have; give one as Europe/Lisbon, of the list in zone.tab"
        )
    return policy
