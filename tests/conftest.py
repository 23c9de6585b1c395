"""Fabricated data, a tiny encoder and a copy of the project to run the real pipelines in."""

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.runner import SequentialRunner
from mlflow.tracking import MlflowClient
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from longtail.demo.fabricated import write_data, write_encoder

ROOT = Path(__file__).resolve().parents[1]

RunKedro = Callable[..., str]
# Modules that take minutes: workers that run module by module start with them.
SLOWEST_FIRST = (
    "test_killed_runs.py",
    "test_faults.py",
    "test_reproduce.py",
    "test_run.py",
    "test_concurrent_runs.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slowest modules first, then those with the most tests."""
    sizes = Counter(item.path for item in items)
    slow = {name: place for place, name in enumerate(SLOWEST_FIRST)}
    items.sort(key=lambda item: (slow.get(item.path.name, len(slow)), -sizes[item.path]))


@pytest.fixture(scope="session")
def fabricated_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with fabricated interactions.csv and items.csv."""
    folder = tmp_path_factory.mktemp("fabricated")
    write_data(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a tiny random transformer that sentence-transformers loads."""
    folder = tmp_path_factory.mktemp("encoder")
    write_encoder(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a tiny random causal language model that knows a few words."""
    folder = tmp_path_factory.mktemp("generator")
    vocabulary = ["[UNK]", "</s>", "yes", "no", "red", "blue", "lamp", "rug", "."]
    tokens = Tokenizer(WordLevel({word: n for n, word in enumerate(vocabulary)}, "[UNK]"))
    tokens.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokens, unk_token="[UNK]", eos_token="</s>"
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=512,
        bos_token_id=None,
        eos_token_id=1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store without runs: creating its tables takes seconds, copying it does not."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


def copy_project(target: Path, store: Path | None = None) -> Path:
    """Copy configuration and code of the project, without data and with an empty MLflow store."""
    for name in ("conf", "src"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(target / "conf/local")
    (target / "conf/local").mkdir()
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(ROOT / name, target / name)
    if store is not None:
        shutil.copy(store, target / "mlflow.db")
    return target


def enter_project(project: Path, data: Path, encoder: Path, patch: pytest.MonkeyPatch) -> None:
    """Make a copy the current project of this process and its children."""
    patch.setenv("LONGTAIL_TEST_DATA", str(data))
    patch.setenv("LONGTAIL_TEST_ENCODER", str(encoder))
    patch.setenv("PYTHONPATH", str(project / "src"))
    patch.setattr("longtail.settings.PROJECT_ROOT", project)
    patch.chdir(project)


def run(
    project: Path,
    pipelines: list[str] | None = None,
    params: dict[str, Any] | None = None,
    env: str = "test",
    to_outputs: list[str] | None = None,
) -> str:
    """Run pipelines in this process; return the session's id, which is the save version."""
    bootstrap_project(project)
    with KedroSession.create(project, env=env, runtime_params=params) as session:
        session.run(pipeline_names=pipelines, runner=SequentialRunner(), to_outputs=to_outputs)
    return session.session_id


@pytest.fixture
def project(
    tmp_path: Path,
    fabricated_data: Path,
    tiny_encoder: Path,
    empty_store: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A copy of the project, without any results, as the current project."""
    copied = copy_project(tmp_path / "project", empty_store)
    enter_project(copied, fabricated_data, tiny_encoder, monkeypatch)
    return copied


@pytest.fixture
def run_kedro(project: Path) -> RunKedro:
    """Run pipelines of the copy: ``run_kedro(pipelines=[...], params={...}, env="test")``."""

    def run_in_copy(**options: Any) -> str:
        return run(project, **options)

    return run_in_copy


@pytest.fixture(scope="session")
def finished_project_template(
    tmp_path_factory: pytest.TempPathFactory,
    fabricated_data: Path,
    tiny_encoder: Path,
    empty_store: Path,
) -> Path:
    """A copy of the project in which the whole graph ran once; use ``finished_project``."""
    copied = copy_project(tmp_path_factory.mktemp("finished") / "project", empty_store)
    with pytest.MonkeyPatch.context() as patch:
        enter_project(copied, fabricated_data, tiny_encoder, patch)
        run(copied)
    return copied


@pytest.fixture
def finished_project(
    finished_project_template: Path,
    fabricated_data: Path,
    tiny_encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A project with one finished run of the whole graph, to read from and not to write to."""
    enter_project(finished_project_template, fabricated_data, tiny_encoder, monkeypatch)
    return finished_project_template


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of Chromium; without it the test is skipped, in continuous integration it fails."""
    return require_program("chromium", package="chromium")


def require_program(name: str, package: str) -> str:
    """Return the path of a program, or skip the test (fail where packages are required)."""
    path = shutil.which(name)
    if path is not None:
        return path
    message = f"This test needs {name}: install the Debian package {package}."
    if os.environ.get("LONGTAIL_REQUIRE_SYSTEM_PACKAGES"):
        pytest.fail(message)
    pytest.skip(message)
