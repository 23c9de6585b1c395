"""Hyper-parameter search on validation users, with the same budget for every model."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from pydantic import BaseModel, ConfigDict, Field

from longtail.arrays import Arrays, content_digest, pack_sparse
from longtail.progress import progress
from longtail.recommenders.base import Recommender, TrainingData
from longtail.recommenders.digest import fit_digest
from longtail.recommenders.validation import ValidationTargets, validation_ndcg
from longtail.source_code import code_hash

# Suggestions in which the sampler must find a setting that was not tried yet.
SUGGESTIONS = 100


class TuningParameters(BaseModel):
    """Budget and objective of the hyper-parameter search."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trials: int = Field(4, ge=1, description="Settings tried for each model.")
    k: int = Field(20, ge=1, description="List length k of the validation NDCG.")
    max_users: int = Field(
        4000, ge=1, description="Maximum number of validation users, drawn at random."
    )
    seed: int = Field(42, description="Seed of the sample, the search and the models.")


@dataclass(frozen=True)
class Tuned:
    """The result of a search: the best setting, its fitted arrays and all trials."""

    recommender: Recommender
    arrays: Arrays
    trials: list[dict[str, Any]]


def tune(
    recommender: type[Recommender],
    data: TrainingData,
    targets: ValidationTargets,
    parameters: TuningParameters,
    fixed: Mapping[str, Any] | None = None,
) -> Tuned:
    """Search for the setting with the highest validation NDCG.

    The starting points of the model come first, then a seeded tree-structured Parzen estimator
    (Bergstra et al.: Algorithms for Hyper-Parameter Optimization, NIPS 2011). Starting points and
    the random settings that the estimator begins with are at most half of the budget. A model with
    an empty search space takes one trial. No setting is tried twice; where none is left, the search
    ends early. Finished trials are kept in ``data.checkpoints``, so that an interrupted search
    resumes.

    Args:
        recommender: class of the model.
        data: training data.
        targets: held-out items of the validation users.
        parameters: budget of the search.
        fixed: hyper-parameters that are set and not searched.
    """
    fixed = fixed or {}
    space = {name: span for name, span in recommender.space_for(data).items() if name not in fixed}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    n_trials = parameters.trials if space else 1
    start_up = max(1, n_trials // 2)
    sampler = optuna.samplers.TPESampler(n_startup_trials=start_up, seed=parameters.seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for point in _distinct(recommender.starting_points, space)[:start_up]:
        study.enqueue_trial(point)
    best: tuple[Recommender, Arrays | None] | None = None
    best_value = -np.inf
    trials: list[dict[str, Any]] = []
    tried: list[tuple[Recommender, float]] = []
    for number in progress(range(n_trials), desc=f"Tuning {recommender.__name__}"):
        suggested = _ask(study, lambda trial: recommender(**_suggest(trial, space), **fixed), tried)
        if suggested is None:
            break
        trial, setting = suggested
        value, seconds, arrays = _try(setting, data, targets, parameters.k)
        study.tell(trial, value)
        tried.append((setting, value))
        trials.append(
            {
                "trial": number,
                "parameters": setting.model_dump(mode="json"),
                f"validation_ndcg_at_{parameters.k}": value,
                "fit_seconds": seconds,
            }
        )
        if value > best_value:
            best, best_value = (setting, arrays), value
    assert best is not None
    setting, fitted = best
    return Tuned(setting, setting.fit(data) if fitted is None else fitted, trials)


def _distinct(
    points: Sequence[Mapping[str, Any]], space: Mapping[str, list[Any] | tuple[float, float]]
) -> list[dict[str, Any]]:
    """Return the starting points within a search space, each once."""
    searched = [{name: point[name] for name in point if name in space} for point in points]
    return [point for n, point in enumerate(searched) if point not in searched[:n]]


def _ask(
    study: optuna.Study,
    make: Callable[[optuna.Trial], Recommender],
    tried: Sequence[tuple[Recommender, float]],
) -> tuple[optuna.Trial, Recommender] | None:
    """Return a trial of a setting that was not tried yet; None if the sampler finds none.

    The sampler is told the known value of a repeated setting, which leads it elsewhere.
    """
    for _ in range(SUGGESTIONS):
        trial = study.ask()
        setting = make(trial)
        known = [value for other, value in tried if other == setting]
        if not known:
            return trial, setting
        study.tell(trial, known[0])
    return None


def _try(
    setting: Recommender, data: TrainingData, targets: ValidationTargets, k: int
) -> tuple[float, float, Arrays | None]:
    """Return NDCG and fit seconds of a setting, and its arrays unless the trial was kept."""
    key = _trial_key(setting, data, targets, k)
    if (known := data.checkpoints.get(key)) is not None:
        return float(known["value"]), float(known["fit_seconds"]), None
    started = time.perf_counter()
    arrays = setting.fit(data)
    seconds = time.perf_counter() - started
    value = validation_ndcg(setting, arrays, data, targets, k)
    data.checkpoints[key] = {"value": np.array(value), "fit_seconds": np.array(seconds)}
    return value, seconds, arrays


def _trial_key(setting: Recommender, data: TrainingData, targets: ValidationTargets, k: int) -> str:
    """Return a hash of everything that the value of a trial depends on."""
    facts = [fit_digest(setting, data), str(k), code_hash([validation_ndcg])]
    relevant = pack_sparse("relevant", targets.relevant)
    return content_digest(relevant | {"users": targets.users, "facts": np.array(facts)})


def _suggest(
    trial: optuna.Trial, space: Mapping[str, list[Any] | tuple[float, float]]
) -> dict[str, Any]:
    """Return the hyper-parameters that the sampler suggests."""
    suggestion: dict[str, Any] = {}
    for name, span in space.items():
        if isinstance(span, list):
            suggestion[name] = trial.suggest_categorical(name, span)
        else:
            suggestion[name] = trial.suggest_float(name, *span, log=True)
    return suggestion
