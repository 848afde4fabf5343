"""Making a folder, with a sentence for each way in which that fails."""

from __future__ import annotations

from pathlib import Path

from doorsill.errors import ConfigError


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Make ``path`` and the missing folders above it; nothing if it exists.

    ``mode`` is that of the last one, minus the umask. Raises ConfigError if it cannot
    be made.
    """
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ConfigError(f"{path} cannot be a folder: a file is in its way") from None
    except PermissionError:
        raise ConfigError(
            f"this user may not make the folder {path}; run as root, or chown what "
            "is above it"
        ) from None
    except OSError as error:
        raise ConfigError(f"cannot make the folder {path}: {error.strerror}") from None
