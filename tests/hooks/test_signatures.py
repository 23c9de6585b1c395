"""What a signature covers: everything that a node's outputs depend on, and nothing else."""

from functools import partial
from pathlib import Path

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node

from longtail.hooks import signatures
from longtail.hooks.records import RunRecords
from longtail.hooks.signatures import code_hash, node_signature, reached_files
from longtail.models.als import ALS
from longtail.models.ials import IALS
from longtail.pipelines.recommenders import tune_recommender


def double(value: int) -> int:
    return 2 * value


def names(module: str) -> set[str]:
    return {path.relative_to(signatures.PACKAGE).as_posix() for path in reached_files(module)}


def test_code_reaches_what_is_imported_anywhere() -> None:
    reached = names("longtail.models.als")
    assert {"models/als.py", "models/base.py", "behaviour/parsing.py", "errors.py"} <= reached
    assert not {"models/ials.py", "models/__init__.py"} & reached
    # Imported inside a function, and a template beside a module.
    assert "reporting/evaluation_report.html" in names("longtail.reporting.page")
    assert "demo/fabricated.py" in names("longtail.demo.__main__")


def test_what_is_bound_to_a_function_is_part_of_its_code() -> None:
    als, ials = (code_hash([partial(tune_recommender, model)]) for model in (ALS, IALS))
    assert als != ials
    assert als == code_hash([partial(tune_recommender, ALS)])


def test_changed_source_changes_the_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "pack"
    (package / "deep").mkdir(parents=True)
    (package / "deep/__init__.py").write_text("from ..other import x\n")
    (package / "other.py").write_text("x = 1\n")
    (package / "unrelated.py").write_text("y = 1\n")
    monkeypatch.setattr(signatures, "PACKAGE", package)

    def hash_now() -> str:
        reached_files.cache_clear()
        signatures._file_digest.cache_clear()
        return code_hash([], ["pack.deep"])

    before = hash_now()
    (package / "unrelated.py").write_text("y = 2\n")
    assert hash_now() == before
    (package / "other.py").write_text("x = 2\n")
    assert hash_now() != before
    monkeypatch.undo()
    reached_files.cache_clear()
    signatures._file_digest.cache_clear()


def test_parameters_and_the_files_that_they_name_count(tmp_path: Path) -> None:
    node = Node(double, "params:value", "doubled")

    def signature(value: object) -> str:
        catalog = DataCatalog({"params:value": MemoryDataset(value), "doubled": MemoryDataset()})
        return node_signature(node, catalog, RunRecords(tmp_path / "data"))

    folder = tmp_path / "encoder"
    folder.mkdir()
    (folder / "weights").write_text("1")
    before = signature({"model": str(folder), "size": 3})
    assert signature({"model": str(folder), "size": 3}) == before
    assert signature({"model": str(folder), "size": 4}) != before
    (folder / "weights").write_text("12")
    assert signature({"model": str(folder), "size": 3}) != before
