"""Files that have more than one name."""

import os
import shutil


def link_or_copy(source: str, target: str) -> None:
    """Give a file a second name; across file systems, where this is impossible, copy it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
