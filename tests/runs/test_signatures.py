"""What a signature covers: everything that a node's outputs depend on, and nothing else."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node
from tests.recommenders.worlds import tiny_data

from longtail import installed_packages, source_code
from longtail.pipelines.recommenders.nodes import tuning_step
from longtail.recommenders.collaborative.als import ALS
from longtail.recommenders.collaborative.ials import IALS
from longtail.recommenders.content.text_metric import TextMetric
from longtail.recommenders.digest import fit_digest
from longtail.recommenders.language_model_ranker.model import LanguageModelRanker
from longtail.recommenders.neural.sequence_transformer import SequenceTransformer
from longtail.recommenders.registry import MODELS
from longtail.runs.records import RunRecords
from longtail.runs.signatures import models_of, node_signature
from longtail.source_code import code_digest, code_hash, library_versions, reached

ROOT = Path(__file__).resolve().parents[2]

Edit = Callable[[str], None]


def double(value: int) -> int:
    return 2 * value


def names(module: str) -> set[str]:
    return {path.relative_to(source_code.PACKAGE).as_posix() for path in reached(module).files}


def forget() -> None:
    for cached in (reached, code_digest, source_code._file_digest, source_code._imports):
        cached.cache_clear()


@pytest.fixture
def edit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Edit]:
    """Change the hash of a source file of the package, as an edit would."""
    edited: set[Path] = set()
    before = source_code._file_digest.__wrapped__

    def digest(path: Path) -> str:
        return "edited" if path in edited else str(before(path))

    monkeypatch.setattr(source_code, "_file_digest", digest)

    def change(name: str) -> None:
        path = source_code.PACKAGE / name
        assert path.is_file()
        edited.clear()
        edited.add(path)
        reached.cache_clear()
        code_digest.cache_clear()

    yield change
    reached.cache_clear()
    code_digest.cache_clear()


def code_of_nodes(pipeline: str) -> dict[str, str]:
    """The hash of the code of each node of a pipeline."""
    bootstrap_project(ROOT)
    pipelines.set_requested(None)
    return {node.name: code_hash([node.func]) for node in pipelines[pipeline].nodes}


def test_code_reaches_what_is_imported_anywhere() -> None:
    found = names("longtail.recommenders.collaborative.als")
    assert {
        "recommenders/collaborative/als.py",
        "recommenders/base.py",
        "behaviour/cleaning/parsing.py",
        "errors.py",
    } <= found
    assert not {"recommenders/collaborative/ials.py", "recommenders/__init__.py"} & found
    # Imported inside a function, and a template beside a module.
    assert "reporting/evaluation_report.html" in names("longtail.reporting.page")
    assert "demo/fabricated.py" in names("longtail.demo.__main__")


def test_what_a_function_closes_over_is_part_of_its_code() -> None:
    als, ials = (code_hash([tuning_step("model", model)]) for model in (ALS, IALS))
    assert als != ials
    assert als == code_hash([tuning_step("model", ALS)])


def test_changed_source_changes_the_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "pack"
    (package / "deep").mkdir(parents=True)
    (package / "deep/__init__.py").write_text(
        "from typing import TYPE_CHECKING\nfrom ..other import x\n"
        "if TYPE_CHECKING:\n    from ..types_only import T\n"
    )
    (package / "other.py").write_text("x = 1\n")
    (package / "types_only.py").write_text("T = int\n")
    (package / "unrelated.py").write_text("y = 1\n")
    monkeypatch.setattr(source_code, "PACKAGE", package)

    def hash_now() -> str:
        forget()
        return code_hash([], ["pack.deep"])

    before = hash_now()
    (package / "unrelated.py").write_text("y = 2\n")
    (package / "types_only.py").write_text("T = str\n")
    assert hash_now() == before
    (package / "other.py").write_text("x = 2\n")
    assert hash_now() != before
    monkeypatch.undo()
    forget()


def test_editing_the_ranker_leaves_the_encoding_alone(edit: Edit) -> None:
    before = code_of_nodes("item_encoding")
    edit("recommenders/language_model_ranker/model.py")
    assert code_of_nodes("item_encoding") == before


def test_editing_a_loss_changes_what_is_adapted_by_it(edit: Edit) -> None:
    before = code_of_nodes("item_encoding")

    edit("text/adaptation.py")

    changed = {
        name for name, code in code_of_nodes("item_encoding").items() if before[name] != code
    }
    assert "adapt_to_behaviour" in {name.rpartition(".")[2] for name in changed}


def test_editing_text_code_drops_the_trials_of_models_that_reach_it(edit: Edit) -> None:
    data = tiny_data()
    before = {model: fit_digest(model(), data) for model in (TextMetric, SequenceTransformer, ALS)}
    edit("text/whitening.py")
    changed = {model for model, digest in before.items() if fit_digest(model(), data) != digest}
    assert changed == {TextMetric}


@pytest.mark.parametrize(
    "edited", ["recommenders/registry.py", "recommenders/collaborative/ials.py"]
)
def test_editing_another_model_or_the_registry_keeps_the_trials(edit: Edit, edited: str) -> None:
    before = {model: code_digest(model) for model in MODELS.values()}
    edit(edited)
    changed = {model for model, digest in before.items() if code_digest(model) != digest}
    assert ALS not in changed
    assert (IALS in changed) == edited.endswith("/ials.py")
    assert len(changed) < 5


def test_a_node_depends_on_the_models_that_it_looks_up() -> None:
    def looked_up(function: Callable[..., object], *inputs: str, **values: object) -> set[str]:
        node = Node(function, [*inputs, *(f"params:{name}" for name in values)], None, name="n")
        found = models_of(node, values)
        return {name for name, model in MODELS.items() if model in found}

    def any_node(*_: object) -> None:
        """Stand for a node whose module imports the registry."""

    any_node.__module__ = "longtail.pipelines.recommenders.params"
    assert looked_up(any_node, hybrid={"sources": ["als", "ease"]}) == {"als", "ease"}
    assert looked_up(any_node, "als_recent_hyperparameters") == {"als_recent"}
    assert looked_up(any_node, "recommendations_ease", "ials_validation_model") == {"ease", "ials"}
    # The class that it closes over is all that the node uses.
    assert looked_up(closing_over(ALS), fitted=["als", "ease"]) == set()
    assert looked_up(double, hybrid={"sources": ["als"]}) == set()


def test_only_libraries_behind_the_code_count(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"numpy", "implicit", "pyarrow"} <= library_versions([ALS]).keys()
    assert not {"torch", "plotly", "mlflow", "pytest"} & library_versions([ALS]).keys()
    assert {"torch", "transformers", "safetensors"} <= library_versions(
        [LanguageModelRanker]
    ).keys()
    before = library_versions([ALS])
    for package, counts in (("plotly", False), ("implicit", True), ("scipy", True)):
        with monkeypatch.context() as patch:
            upgrade(package, patch)
            assert (library_versions([ALS]) != before) == counts
    installed_packages._closure.cache_clear()


def upgrade(package: str, patch: pytest.MonkeyPatch) -> None:
    """Let a package have another version."""
    original = installed_packages.distribution

    class Upgraded:
        version = "99"
        requires: tuple[str, ...] = ()

    patch.setattr(
        installed_packages,
        "distribution",
        lambda name: Upgraded() if name == package else original(name),
    )
    installed_packages._closure.cache_clear()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "model.safetensors").write_text("1")
    return folder


def test_trials_depend_on_the_weights_that_a_model_reads(weights: Path) -> None:
    data = tiny_data()
    ranker, als = LanguageModelRanker(model=str(weights)), ALS()
    before = {model: fit_digest(model, data) for model in (ranker, als)}
    (weights / "model.safetensors").write_text("2, of another training")
    assert fit_digest(ranker, data) != before[ranker]
    assert fit_digest(als, data) == before[als]


def test_weights_in_a_package_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "packed_weights"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "model/weights").write_text("1")
    monkeypatch.syspath_prepend(tmp_path)

    before = signature(tmp_path, {"encoder": {"model": "package:packed_weights"}})
    (package / "model/weights").write_text("12")
    assert signature(tmp_path, {"encoder": {"model": "package:packed_weights"}}) != before


def test_weights_that_are_not_installed_are_no_error(tmp_path: Path) -> None:
    assert signature(tmp_path, {"encoder": {"model": "package:no_such_weights"}})


def test_the_commit_of_a_hub_model_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commits = iter(["a" * 40, "b" * 40])
    monkeypatch.setattr(
        "huggingface_hub.try_to_load_from_cache",
        lambda repository, file: f"/hub/{repository}/snapshots/{next(commits)}/{file}",
    )
    parameters = {"encoder": {"model": "some/model"}}
    assert signature(tmp_path, parameters) != signature(tmp_path, parameters)


def test_the_precision_of_the_machine_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_automatic(precision: str) -> str:
        monkeypatch.setattr("longtail.text.weights._automatic_precision", lambda: precision)
        return signature(tmp_path, {"encoder": {"precision": "auto"}})

    assert with_automatic("float32") != with_automatic("bfloat16")


def signature(folder: Path, value: object, function: Callable[..., object] = double) -> str:
    """The signature of a node that takes one parameter."""
    node = Node(function, "params:value", "doubled")
    catalog = DataCatalog({"params:value": MemoryDataset(value), "doubled": MemoryDataset()})
    return node_signature(node, catalog, RunRecords(folder / "data"))


def test_parameters_and_the_files_that_they_name_count(tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    folder.mkdir()
    (folder / "weights").write_text("1")
    before = signature(tmp_path, {"model": str(folder), "size": 3})
    assert signature(tmp_path, {"model": str(folder), "size": 3}) == before
    assert signature(tmp_path, {"model": str(folder), "size": 4}) != before
    (folder / "weights").write_text("12")
    assert signature(tmp_path, {"model": str(folder), "size": 3}) != before


def test_what_a_function_closes_over_counts(tmp_path: Path) -> None:
    one, two, again = (signature(tmp_path, 1, closing_over(factor)) for factor in (1, 2, 1))
    assert one != two
    assert one == again


def closing_over(value: object) -> Callable[..., object]:
    def node_function(*_: object) -> object:
        return value

    return node_function
