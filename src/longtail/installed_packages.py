"""Versions of installed packages, and which of them a library needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import (
    PackageNotFoundError,
    distribution,
    distributions,
    packages_distributions,
)

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# What libraries load where it is installed, and their metadata list only as one extra of many.
LOADED_IF_INSTALLED: Mapping[str, tuple[str, ...]] = {
    "ibis-framework": ("duckdb", "pyspark"),
    "pandas": ("pyarrow",),
    "transformers": ("accelerate", "gguf"),
}


@cache
def package_versions() -> dict[str, str]:
    """Return the versions of all installed packages, by lower-case name."""
    found = {str(package.metadata["Name"]).lower(): package.version for package in distributions()}
    return dict(sorted(found.items()))


def versions_behind(libraries: Iterable[str]) -> dict[str, str]:
    """Return the versions of the packages that libraries consist of and require, directly or not.

    Args:
        libraries: names as they are imported; those of no installed package are left out.
    """
    carriers = _carriers()
    names = {name for library in libraries for name in carriers.get(library, ())}
    return dict(sorted({pair for name in names for pair in _closure(name)}))


@cache
def _carriers() -> Mapping[str, list[str]]:
    """Return the packages that provide each importable name."""
    return packages_distributions()


@cache
def _closure(package: str) -> frozenset[tuple[str, str]]:
    """Return name and version of a package and of all installed ones that it requires."""
    versions: dict[str, str] = {}
    waiting = [(canonicalize_name(package), frozenset[str]())]
    seen = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        versions[name] = found.version
        required = map(Requirement, found.requires or ())
        further = {
            (canonicalize_name(requirement.name), frozenset(requirement.extras))
            for requirement in required
            if _applies(requirement, extras)
        }
        further |= {
            (canonicalize_name(other), frozenset[str]())
            for other in LOADED_IF_INSTALLED.get(name, ())
        }
        waiting += further - seen
        seen |= further
    return frozenset(versions.items())


def _applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    """Whether a requirement holds on this platform, for the extras that are asked for."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""})
