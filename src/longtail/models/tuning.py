"""Choosing hyper-parameters on validation users, with the same declared budget for every model."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from tqdm.auto import tqdm

from longtail.arrays import Arrays, content_digest, pack_sparse
from longtail.behaviour.histories import Histories
from longtail.models.base import Recommender, TrainingData, rank_unseen, user_blocks


class TuningParameters(BaseModel):
    """The budget and the objective of every model's tuning."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trials: int = Field(10, ge=1, description="Settings tried for each model.")
    k: int = Field(20, ge=1, description="Length of the lists whose NDCG is maximised.")
    max_users: int = Field(4000, ge=1, description="Validation users, drawn at random.")
    seed: int = Field(42, description="Seed of the drawn users, the search and the models.")


@dataclass(frozen=True)
class ValidationTargets:
    """Held-out items of validation users.

    Attributes:
        users: (n,) ascending indices of users with a history and a held-out item.
        relevant: (n, n_items) sparse, non-zero where the item was held out.
    """

    users: NDArray[np.int64]
    relevant: sp.csr_array


@dataclass(frozen=True)
class Tuned:
    """The outcome of a tuning: the best setting, its fitted arrays and every trial."""

    recommender: Recommender
    arrays: Arrays
    trials: list[dict[str, Any]]


def validation_targets(
    histories: Histories, held_out: sp.csr_array, max_users: int, seed: int
) -> ValidationTargets:
    """Draw validation users who have a history and at least one held-out item.

    Args:
        histories: the behaviour that models are fitted on.
        held_out: (n_users, n_items) sparse matrix of the later behaviour.
        max_users: users drawn without replacement when there are more.
        seed: seed of the draw.
    """
    has_history = histories.history_lengths() > 0
    eligible = np.flatnonzero(has_history & (np.diff(held_out.indptr) > 0))
    if len(eligible) > max_users:
        drawn = np.random.default_rng(seed).choice(eligible, max_users, replace=False)
        eligible = np.sort(drawn)
    return ValidationTargets(eligible, held_out[eligible])


def ndcg(items: NDArray[np.int64], relevant: sp.csr_array) -> NDArray[np.float64]:
    """Return the NDCG of each list against its held-out items (binary gain, log2 discount).

    Args:
        items: (n, k) item indices, best first.
        relevant: (n, n_items) sparse, non-zero where relevant; at least one in every row.
    """
    k = items.shape[1]
    rows = np.arange(len(items))[:, None]
    hits = relevant[rows, items].toarray() > 0
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])
    return (hits * discounts).sum(axis=1) / ideal[np.minimum(np.diff(relevant.indptr), k)]


def validation_ndcg(
    recommender: Recommender,
    arrays: Arrays,
    data: TrainingData,
    targets: ValidationTargets,
    k: int,
) -> float:
    """Return the mean NDCG@k over the validation users, all unseen items being candidates."""
    values = []
    for users in user_blocks(targets.users, data.histories.n_items):
        rows = np.searchsorted(targets.users, users)
        scores = recommender.score(arrays, data, users)
        items, _ = rank_unseen(scores, data.histories.profiles(users), k)
        values.append(ndcg(items, targets.relevant[rows]))
    return float(np.concatenate(values).mean())


def tune(
    recommender: type[Recommender],
    data: TrainingData,
    targets: ValidationTargets,
    parameters: TuningParameters,
    fixed: Mapping[str, Any] | None = None,
) -> Tuned:
    """Search for the setting with the highest validation NDCG.

    The declared starting points come first, then a seeded tree-structured Parzen search (Bergstra
    et al., NIPS 2011). A model without anything to search takes one trial. Finished trials are kept
    in ``data.checkpoints``: a search that was stopped goes on where it was.

    Args:
        recommender: class of the model.
        data: what its settings are fitted on.
        targets: what they are judged by.
        parameters: the budget.
        fixed: hyper-parameters that are given and not searched.
    """
    fixed = fixed or {}
    space = {name: span for name, span in recommender.search_space.items() if name not in fixed}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=parameters.seed)
    )
    for point in recommender.starting_points:
        study.enqueue_trial({name: point[name] for name in point if name in space})
    best: tuple[Recommender, Arrays | None] | None = None
    best_value = -np.inf
    trials: list[dict[str, Any]] = []
    n_trials = parameters.trials if space else 1
    for number in tqdm(range(n_trials), desc=f"Tuning {recommender.__name__}", leave=False):
        trial = study.ask()
        setting = recommender(**_suggest(trial, space), **fixed)
        value, seconds, arrays = _try(setting, data, targets, parameters.k)
        study.tell(trial, value)
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


def _try(
    setting: Recommender, data: TrainingData, targets: ValidationTargets, k: int
) -> tuple[float, float, Arrays | None]:
    """Return the NDCG and the seconds of one setting; its arrays too if it was fitted just now."""
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
    """Return a hash of all that the value of a trial depends on."""
    facts = [type(setting).__name__, setting.model_dump_json(), data.digest, str(k), code_digest()]
    relevant = pack_sparse("relevant", targets.relevant)
    return content_digest(relevant | {"users": targets.users, "facts": np.array(facts)})


@cache
def code_digest() -> str:
    """Return a hash of the source of all models and of the libraries that fit them."""
    sources = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]
    versions = [f"{name}=={version(name)}" for name in ("implicit", "irspack", "torch", "numpy")]
    return hashlib.blake2b(b"".join(sources) + " ".join(versions).encode()).hexdigest()


def _suggest(
    trial: optuna.Trial, space: Mapping[str, list[Any] | tuple[float, float]]
) -> dict[str, Any]:
    suggestion: dict[str, Any] = {}
    for name, span in space.items():
        if isinstance(span, list):
            suggestion[name] = trial.suggest_categorical(name, span)
        else:
            suggestion[name] = trial.suggest_float(name, *span, log=True)
    return suggestion
