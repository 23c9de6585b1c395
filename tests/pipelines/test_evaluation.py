import json
import re
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from longtail.errors import UserError
from longtail.pipelines.evaluation import nodes
from longtail.pipelines.evaluation.params import EvaluationParameters
from longtail.pipelines.evaluation.pipeline import (
    PLOTS,
    PLOTS_OF_EARLIER_STAGES,
    create_pipeline,
)
from longtail.pipelines.selection import ModelSelection

CONF = Path(__file__).resolve().parents[2] / "conf" / "base"
PARAMETERS = EvaluationParameters(
    ks=(5, 10),
    primary_k=10,
    baseline="als",
    bootstrap_draws=200,
    confidence=0.95,
    example_users=2,
    seed=1,
)
MODELS = ModelSelection(("popularity", "als", "ease"), ("als", "ease"), "als")
N_USERS, N_ITEMS = 30, 40
ITEMS = pd.DataFrame(
    {"item_id": [f"i{item:02d}" for item in range(N_ITEMS)], "title": "A <b>title</b>"}
)


PROFILE = {
    "data_set": "lamps",
    "totals": {"users": N_USERS, "items": N_ITEMS, "pairs": 180},
    "months": [{"month": "2020-08"}, {"month": "2020-10"}],
}
GATE = {
    "tail_emphasis": 0.5,
    "front": [
        {"tail_emphasis": value, "ndcg": 0.1, "recall_tail": 0.2, "recall_head": 0.3}
        | {"coverage": 0.4}
        for value in (0.0, 0.5)
    ],
}


def _pairs(rng: np.random.Generator, per_user: int, first_item: int) -> pd.DataFrame:
    items = np.concatenate([rng.permutation(N_ITEMS // 2)[:per_user] for _ in range(N_USERS)])
    return pd.DataFrame(
        {
            "user_id": [f"u{user:02d}" for user in np.repeat(np.arange(N_USERS), per_user)],
            "item_id": [f"i{item + first_item:02d}" for item in items],
        }
    )


def _recommendations(rng: np.random.Generator) -> pd.DataFrame:
    items = np.concatenate([rng.permutation(N_ITEMS)[:15] for _ in range(N_USERS)])
    return pd.DataFrame(
        {
            "user_id": [f"u{user:02d}" for user in np.repeat(np.arange(N_USERS), 15)],
            "item_id": [f"i{item:02d}" for item in items],
            "rank": np.tile(np.arange(1, 16), N_USERS),
            "score": 0.0,
        }
    )


@pytest.fixture
def tables() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    groups = ["head"] * 4 + ["tail"] * 26 + ["cold"] * 10
    return {
        "language_vectors": {"vectors": rng.normal(size=(N_ITEMS, 3)).astype(np.float32)},
        "test_interactions": _pairs(rng, 4, 20),
        "train_interactions": _pairs(rng, 5, 0),
        "validation_interactions": _pairs(rng, 1, 0),
        "item_groups": pd.DataFrame(
            {
                "item_id": [f"i{item:02d}" for item in range(N_ITEMS)],
                "interaction_count": np.arange(N_ITEMS)[::-1],
                "item_group": groups,
            }
        ),
        "user_groups": pd.DataFrame(
            {
                "user_id": [f"u{user:02d}" for user in range(N_USERS)],
                "user_group": ["active"] * 6 + ["quiet"] * 20 + ["new"] * 4,
            }
        ),
    }


def _catalog(tables: dict[str, Any], folder: Path) -> DataCatalog:
    rng = np.random.default_rng(1)
    pipeline = create_pipeline(MODELS)
    understanding = ITEMS[["item_id"]].assign(keywords="oak, lamp", summary="")
    rejections = {"mass_rejections": []}
    report = {"understood": [], "items": rejections, "interactions": rejections}
    tables = {
        "items": ITEMS,
        "item_understanding": understanding,
        "cleaning_report": report,
        "data_profile": PROFILE,
        "split": {"protocol": "temporal", "test_start": 1_600_000_000},
        "hybrid_gate": GATE,
        "reasons": _recommendations(rng).assign(sentence="Because of <oak>."),
    } | tables
    entries = yaml.safe_load((CONF / "evaluation/catalog.yml").read_text(encoding="utf-8"))
    for entry in entries.values():
        entry["filepath"] = (folder / Path(entry["filepath"]).name).as_posix()
    catalog = DataCatalog.from_config(entries)
    catalog["params:evaluation"] = MemoryDataset(PARAMETERS)
    for name in pipeline.inputs() - {"params:evaluation"}:
        table = tables.get(name.removesuffix("@pandas"))
        if name in PLOTS_OF_EARLIER_STAGES:
            table = go.Figure(layout={"title": {"text": name}})
        if name.endswith("_trials"):
            table = [{"trial": number} for number in range(3)]
        catalog[name] = MemoryDataset(_recommendations(rng) if table is None else table)
    return catalog


def test_the_pipeline_reports_every_model_and_prints_once(
    tables: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = _catalog(tables, tmp_path)
    SequentialRunner().run(create_pipeline(MODELS), catalog)
    leaderboard = catalog["leaderboard"].load()
    assert {*MODELS.fitted, "hybrid"} == {row["model"] for row in leaderboard}
    assert {*MODELS.fitted, "hybrid"} == set(catalog["per_user_metrics"].load()["model"])
    trials = [row for row in leaderboard if row["metric"] == "trials"]
    assert {row["model"]: row["value"] for row in trials} == dict.fromkeys(MODELS.fitted, 3)
    for plot in (name for name in create_pipeline(MODELS).all_outputs() if name.endswith("_plot")):
        assert catalog[plot].load().data
    page = catalog["evaluation_report"].load()
    assert "A &lt;b&gt;title&lt;/b&gt;" in page
    assert "<small>oak, lamp</small>" in page
    assert "<h1>Recommendations for lamps</h1>" in page
    assert f"<dt>Run</dt><dd>{catalog['evaluation_report'].resolve_load_version()}</dd>" in page
    assert "Because of &lt;oak&gt;." in page
    for plot in (*PLOTS, *PLOTS_OF_EARLIER_STAGES):
        assert f'id="{plot}"' in page
    deciles = catalog["popularity_deciles"].load()
    assert {row["decile"] for row in deciles} == set(range(11))
    json.dumps([leaderboard, catalog["comparisons"].load(), deciles], allow_nan=False)
    groups = {"all", "active", "quiet", "new", "niche", "diverse", "blockbuster"}
    assert groups == {row["user_group"] for row in leaderboard}
    assert capsys.readouterr().out.count("NDCG@10") == 1


def test_only_the_report_comes_after_the_table() -> None:
    names = [node.name for node in create_pipeline(MODELS).nodes]
    assert names[-2:] == ["evaluation.show_leaderboard", "evaluation.write_report"]


@pytest.mark.parametrize(("smallest", "shown"), [(1, True), (10, False)])
def test_where_small_groups_are_protected_the_report_has_no_user(
    tables: dict[str, Any], tmp_path: Path, smallest: int, shown: bool
) -> None:
    catalog = _catalog(tables, tmp_path)
    protected = PARAMETERS.model_copy(update={"min_group_size": smallest, "searchable_users": 7})
    catalog["params:evaluation"] = MemoryDataset(protected)
    SequentialRunner().run(create_pipeline(MODELS), catalog)
    page = catalog["evaluation_report"].load()
    assert ("a sample of 7 of the 30 evaluated users" in page) is shown
    assert ("Lists of single users are left out" in page) is not shown
    without_plotly = re.sub(r"<script>.*?</script>", "", page, count=1, flags=re.DOTALL)
    assert bool(re.search(r"\bu\d\d\b", without_plotly)) is shown


def test_models_that_the_data_did_not_allow_are_left_out(tables: dict[str, Any]) -> None:
    recommendations = _recommendations(np.random.default_rng(1))
    per_user, per_item, leaderboard, comparisons = nodes.evaluate_models(
        PARAMETERS, **tables, als=recommendations, hybrid=recommendations.iloc[:0]
    )
    for table in (per_user, per_item, pd.DataFrame(leaderboard)):
        assert set(table["model"]) == {"als"}
    assert comparisons == []


def test_a_baseline_that_the_data_did_not_allow_is_named(tables: dict[str, Any]) -> None:
    lists = _recommendations(np.random.default_rng(1))
    with pytest.raises(UserError, match=r"'als' has no recommendations; choose one of popularity"):
        nodes.evaluate_models(PARAMETERS, **tables, als=lists.iloc[:0], popularity=lists)


def test_the_same_seed_gives_the_same_numbers(tables: dict[str, Any]) -> None:
    recommendations = _recommendations(np.random.default_rng(1))
    results = [nodes.evaluate_models(PARAMETERS, **tables, als=recommendations) for _ in range(2)]
    assert results[0][2] == results[1][2]


def test_base_parameters_are_valid() -> None:
    raw = yaml.safe_load((CONF / "evaluation/parameters.yml").read_text(encoding="utf-8"))
    parameters = EvaluationParameters(**raw["evaluation"])
    assert parameters.primary_k in parameters.ks


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"primary_k": 7}, "primary_k is 7"),
        ({"confidence": 1.5}, "confidence"),
        ({"ks": ()}, "ks"),
        ({"ks": (0, 10)}, "ks"),
        ({"bootstrap_draws": 1}, "bootstrap_draws"),
        ({"unknown": 1}, "unknown"),
        ({"baseline": "alss"}, "evaluation.baseline is alss; there are random"),
    ],
)
def test_wrong_parameters_are_named(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        EvaluationParameters(**(PARAMETERS.model_dump() | change))


def test_every_output_has_a_versioned_entry_in_the_reporting_layer() -> None:
    entries = yaml.safe_load((CONF / "evaluation/catalog.yml").read_text(encoding="utf-8"))
    assert set(entries) == create_pipeline(MODELS).all_outputs()
    for entry in entries.values():
        assert entry["versioned"] is True
        assert entry["metadata"]["kedro-viz"]["layer"] == "reporting"


def test_only_named_events_are_relevant_where_the_parameter_says_so(tables: dict[str, Any]) -> None:
    test = tables["test_interactions"]
    bought = test["user_id"].isin(["u00", "u01"]) & ~test.duplicated("user_id")
    events = test.assign(event_type="view", weight=1.0)
    events.loc[bought, "event_type"] = "purchase"
    lists = pd.DataFrame(
        {"user_id": test["user_id"], "item_id": test["item_id"], "rank": 0, "score": 0.0}
    )
    lists["rank"] = lists.groupby("user_id").cumcount() + 1
    parameters = PARAMETERS.model_copy(update={"relevant_events": ("purchase",)})
    per_user, *_ = nodes.evaluate_models(
        parameters, **tables, interactions=ibis.memtable(events), als=lists
    )
    # The bought item stands first of four: recall and NDCG are perfect for these two users alone.
    overall = per_user[per_user["item_group"] == "all"]
    assert set(overall["user_id"]) == {"u00", "u01"}
    assert set(overall["ndcg"]) == set(overall["recall"]) == {1.0}
    assert "purchase" in parameters.relevance
    assert not PARAMETERS.relevance
