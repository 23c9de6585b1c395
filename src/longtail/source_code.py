"""What a function or class depends on: source files of this package and versions of libraries."""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import longtail
from longtail.installed_packages import versions_behind

PACKAGE = Path(longtail.__file__).parent
REGISTRY = "longtail.recommenders.registry"
# Modules whose imports do not count: a module that looks up a class in the registry depends on that
# class alone, and no result depends on the digests by which kept results are found.
NOT_FOLLOWED = frozenset({REGISTRY, "longtail.recommenders.digest"})


@dataclass(frozen=True)
class Reached:
    """What a module imports, directly or not.

    Attributes:
        files: of this package, with the module itself and whatever lies beside a module, such as a
            template. The ``__init__`` files of its folders are not among them: they hold no code.
        not_followed: the modules of ``NOT_FOLLOWED`` among the imports.
        libraries: top-level names of other packages, without the standard library.
    """

    files: frozenset[Path] = frozenset()
    not_followed: frozenset[str] = frozenset()
    libraries: frozenset[str] = frozenset()

    def __or__(self, other: Reached) -> Reached:
        """Return what either of them reaches."""
        return Reached(
            self.files | other.files,
            self.not_followed | other.not_followed,
            self.libraries | other.libraries,
        )


@cache
def code_digest(root: type) -> str:
    """Return a hash of the source that a class reaches and of the libraries that this needs."""
    parts = [code_hash([root]), library_versions([root])]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def code_hash(roots: Iterable[Any], modules: Iterable[str] = ()) -> str:
    """Return the hash of the source files that functions, classes and modules reach.

    Args:
        roots: functions and classes; of functions also what they close over.
        modules: names of further modules.
    """
    roots = list(with_closures(roots))
    names = sorted(f"{root.__module__}.{root.__qualname__}" for root in roots)
    digest = hashlib.sha256(str(names).encode())
    for path in sorted(reached_by(roots, modules).files):
        digest.update(f"{path.relative_to(PACKAGE)} {_file_digest(path)}".encode())
    return digest.hexdigest()


def library_versions(roots: Iterable[Any], modules: Iterable[str] = ()) -> dict[str, str]:
    """Return the versions of the packages that functions, classes and modules reach.

    Args:
        roots: functions and classes; of functions also what they close over.
        modules: names of further modules.
    """
    return versions_behind(reached_by(with_closures(roots), modules).libraries)


def reached_by(roots: Iterable[Any], modules: Iterable[str] = ()) -> Reached:
    """Return what functions, classes (with their bases) and modules reach together."""
    names = {*modules, *(name for root in roots for name in _modules_of(root))}
    found = Reached()
    for name in names:
        found |= reached(name)
    return found


def _modules_of(root: Any) -> Iterator[str]:
    return (part.__module__ for part in (root.__mro__ if isinstance(root, type) else (root,)))


def with_closures(values: Iterable[Any]) -> Iterator[Callable[..., Any]]:
    """Yield the functions and classes in values, with those that the functions close over."""
    for value in values:
        if callable(value) and hasattr(value, "__qualname__"):
            yield value
            yield from with_closures(closed_over(value))


def closed_over(function: Any) -> list[Any]:
    """Return the values that a function takes from the function in which it was defined."""
    return [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]


@cache
def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def reached(module: str, not_followed: frozenset[str] = NOT_FOLLOWED) -> Reached:
    """Return what a module imports, directly or not.

    Args:
        module: its name; of a module of another package only the libraries that it imports count.
        not_followed: modules that do not count, nor what they import.
    """
    files: set[Path] = set()
    found: set[str] = set()
    libraries: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _file_of(name)
        if name in not_followed:
            found.add(name)
        elif path is None:
            libraries.add(name.partition(".")[0])
        elif path not in files:
            files |= {path, *_companions(path.parent)}
            waiting += _imports(path)
    if not files and (elsewhere := _file_elsewhere(module)):
        libraries |= {name.partition(".")[0] for name in _imports(elsewhere)}
    libraries -= {PACKAGE.name, *sys.stdlib_module_names}
    return Reached(frozenset(files), frozenset(found), frozenset(libraries))


def _file_of(module: str) -> Path | None:
    """Return the file of a module of this package, None for other names."""
    package, *parts = module.split(".")
    if package != PACKAGE.name:
        return None
    path = PACKAGE.joinpath(*parts)
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _file_elsewhere(module: str) -> Path | None:
    """Return the source file of a loaded module of another package, None where it has none."""
    file = getattr(sys.modules.get(module), "__file__", None)
    return Path(file) if file and file.endswith(".py") else None


def _companions(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file() and path.suffix not in (".py", "")]


@cache
def _imports(path: Path) -> tuple[str, ...]:
    """Return the absolute names that a file imports, wherever in it; not those for types alone."""
    folder = path.relative_to(PACKAGE.parent).parts[:-1] if path.is_relative_to(PACKAGE) else ()
    names: list[str] = []
    for statement in _statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.Import):
            names += [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and (folder or not statement.level):
            parents = folder[: len(folder) + 1 - statement.level] if statement.level else ()
            module = ".".join(filter(None, (*parents, statement.module)))
            names += [module, *(f"{module}.{alias.name}" for alias in statement.names)]
    return tuple(names)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a syntax tree's nodes without the blocks ``if TYPE_CHECKING``, which never run."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for other in child.orelse:
                yield from _statements(other)
        else:
            yield from _statements(child)


def third_party_imports(module: str) -> set[str]:
    """Return the top-level names that a module and what it reaches import from other packages."""
    return set(reached(module, frozenset()).libraries)
