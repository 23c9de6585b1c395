"""Hard links and states of files."""

import os
import shutil
from pathlib import Path


def link_or_copy(source: str, target: str) -> None:
    """Hard-link a file; copy it across file systems."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def file_state(path: Path) -> tuple[str, int, int]:
    """Return what changes when a file is written anew: path, size and time of the last change."""
    state = path.stat()
    return str(path), state.st_size, state.st_mtime_ns
