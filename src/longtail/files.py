"""Writing files in one step, hard links and states of files."""

import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import time
from uuid import uuid4

PARTIAL = ".partial"
# No file of the project takes longer to write: what is older was left by a killed process.
ABANDONED_AFTER_SECONDS = 3600


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to, and put the finished file in place in one step.

    The temporary name is unique, so processes and threads that write the same file at the same time
    do not disturb each other: the last one wins. Readers see the old file or the new one, also
    after a power cut. If writing fails, the old file stays.

    Args:
        path: the file to write; its folder must exist.
    """
    _remove_abandoned(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}-{uuid4().hex}{PARTIAL}")
    try:
        yield partial
        sync(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    # Not every file system can do this for a folder.
    with suppress(OSError):
        sync(path.parent)


def create(path: Path, text: str) -> bool:
    """Write a file that nobody else has written; return whether it is new.

    Of processes that write it at the same time one succeeds, and readers see no part of it.

    Args:
        path: the file to write; its folder must exist.
        text: its content.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}-{uuid4().hex}{PARTIAL}")
    try:
        partial.write_text(text, encoding="utf-8")
        sync(partial)
        try:
            path.hardlink_to(partial)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            if path.exists():
                return False
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return True


def _remove_abandoned(path: Path) -> None:
    """Remove what killed processes have left of earlier attempts to write a file."""
    for partial in path.parent.glob(f".{glob.escape(path.name)}.*{PARTIAL}"):
        # Another process may remove it at the same time.
        with suppress(OSError):
            if time() - partial.stat().st_mtime > ABANDONED_AFTER_SECONDS:
                partial.unlink()


def sync(path: Path) -> None:
    """Wait until a file, or the list of names in a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
