"""What Kedro-Viz exports of the finished project, as `make viz` shows it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

STAGES = {"behaviour_cleaning", "item_encoding", "recommenders", "hybrid_scoring", "evaluation"}
# What a laptop shows in letters that can be read.
MOST_BOXES = 25


@pytest.fixture(scope="module")
def build(
    finished_project_template: Path,
    fabricated_data: Path,
    tiny_encoder: Path,
) -> Path:
    """Folder with the published graph of the whole pipeline."""
    completed = subprocess.run(
        [sys.executable, "-m", "kedro", "viz", "build", "--include-previews"],
        cwd=finished_project_template,
        env=os.environ
        | {
            "KEDRO_ENV": "test",
            "LONGTAIL_VIEWING": "1",
            "LONGTAIL_TEST_DATA": str(fabricated_data),
            "LONGTAIL_TEST_ENCODER": str(tiny_encoder),
            "PYTHONPATH": str(finished_project_template / "src"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert completed.returncode == 0, completed.stderr
    assert "circular" not in completed.stdout + completed.stderr
    return finished_project_template / "build/api"


@pytest.fixture(scope="module")
def graph(build: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((build / "main").read_text(encoding="utf-8"))
    return content


def boxes(graph: dict[str, Any], pipeline: str) -> set[str]:
    """Return the names of what is drawn in a box that is open; parameters are not, by default."""
    names = {node["id"]: node["name"] for node in graph["nodes"]}
    children = graph["modular_pipelines"][pipeline]["children"]
    return {
        names.get(child["id"], child["id"]) for child in children if child["type"] != "parameters"
    }


def test_default_view_is_five_stages_and_what_passes_between_them(graph: dict[str, Any]) -> None:
    drawn = boxes(graph, "__root__")
    assert drawn >= STAGES
    assert len(drawn) <= MOST_BOXES, sorted(drawn)
    assert {"items", "item_features", "recommendations_hybrid", "evaluation_report"} <= drawn
    assert not [name for name in drawn if name.endswith(("_model", "_trials", "_plot"))]


def test_models_are_inside_the_stage_of_models(graph: dict[str, Any]) -> None:
    drawn = boxes(graph, "recommenders")
    models = {name for name in drawn if name.startswith("recommenders.")}
    assert {"recommenders.als", "recommenders.ease"} <= models
    # Those that are not fitted in this environment are not drawn.
    assert "recommenders.slim" not in models
    inside = boxes(graph, "recommenders.als")
    assert {"als_model", "als_trials", "als_validation_model"} <= inside


def test_everything_carries_the_tag_of_its_stage(graph: dict[str, Any]) -> None:
    assert {tag["id"] for tag in graph["tags"]} == STAGES
    assert all(set(node["tags"]) & STAGES for node in graph["nodes"])


def test_real_nodes_and_datasets_are_all_drawn(graph: dict[str, Any]) -> None:
    names = {node["name"] for node in graph["nodes"]}
    assert {"evaluate_models", "recommend_hybrid", "leaderboard", "gate_plot"} <= names


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("per_user_metrics", "TablePreview"),
        ("reasons", "TablePreview"),
        ("recommendations_hybrid", "TablePreview"),
        ("item_groups", "TablePreview"),
        ("leaderboard", "TablePreview"),
        ("leaderboard_plot", "PlotlyPreview"),
    ],
)
def test_tables_and_figures_have_a_preview(
    build: Path, graph: dict[str, Any], name: str, kind: str
) -> None:
    (node,) = (node for node in graph["nodes"] if node["name"] == name)
    detail = json.loads((build / "nodes" / node["id"]).read_text(encoding="utf-8"))
    assert detail["preview_type"] == kind
