"""The runs of a repeated study and what each changes."""

from pathlib import Path

from kedro.config import OmegaConfigLoader
from kedro.framework.project import settings
from kedro.framework.startup import bootstrap_project

from longtail.runs.repeats import RepeatKey, merged, parameters_of, plan
from longtail.tracking.parameters import flatten

ROOT = Path(__file__).resolve().parents[2]


def test_the_run_of_the_whole_log_and_the_configured_seeds_is_the_last() -> None:
    assert plan(2, 2) == [(1, 1), (1, 0), (0, 1), (0, 0)]


def test_a_seed_moves_every_seed_but_those_of_the_shared_steps() -> None:
    bootstrap_project(ROOT)
    loader = OmegaConfigLoader(str(ROOT / "conf"), env="base", **settings.CONFIG_LOADER_ARGS)
    assert parameters_of(RepeatKey(1, 2), loader["parameters"]) == {
        "repeat": {"origin": 1, "seed": 44},
        "tuning": {"seed": 44},
        "evaluation": {"seed": 20261123},
    }


def test_the_first_repeat_keeps_the_configured_seeds() -> None:
    configured = {
        "repeat": {"seed": None},
        "tuning": {"seed": 3},
        "behaviour_cleaning": {"seed": 5},
    }
    assert parameters_of(RepeatKey(0, 0), configured) == {"repeat": {"origin": 0}}
    assert parameters_of(RepeatKey(0, 1), configured) == {
        "repeat": {"origin": 0, "seed": 6},
        "tuning": {"seed": 4},
    }
    assert parameters_of(RepeatKey(0, 1), configured | {"repeat": {"seed": 9}})["repeat"] == {
        "origin": 0,
        "seed": 10,
    }


def test_what_a_repeat_changes_is_put_over_what_the_user_gave() -> None:
    given = {"tuning": {"trials": 1, "seed": 3}, "recommendation_length": 50}
    assert merged(given, {"tuning": {"seed": 4}, "repeat": {"origin": 1}}) == {
        "tuning": {"trials": 1, "seed": 4},
        "recommendation_length": 50,
        "repeat": {"origin": 1},
    }


def test_every_seed_is_moved_or_replaced() -> None:
    bootstrap_project(ROOT)
    loader = OmegaConfigLoader(str(ROOT / "conf"), env="base", **settings.CONFIG_LOADER_ARGS)
    seeds = {
        "behaviour_cleaning.seed",
        "item_encoding.tfidf_seed",
        "item_encoding.adaptation.seed",
        "tuning.seed",
        "evaluation.seed",
        "repeat.seed",
    }
    # A new seed of a shared step has to give way to repeat.seed, which this list reminds of.
    assert {name for name in flatten(loader["parameters"]) if name.endswith("seed")} == seeds
