"""What a fitted model depends on, as one hash: kept trials and trainings are found by it."""

from __future__ import annotations

import numpy as np

from longtail.arrays import content_digest
from longtail.recommenders.base import Recommender, TrainingData
from longtail.source_code import code_digest


def fit_digest(recommender: Recommender, data: TrainingData) -> str:
    """Return a hash of all that ``recommender.fit(data)`` depends on.

    These are the data and the seed, the settings, the code that the model's class reaches with the
    libraries behind it and, where the model reads one, the weights and the precision of the
    language model.
    """
    facts = [
        type(recommender).__qualname__,
        recommender.model_dump_json(),
        data.digest(recommender.reads),
        code_digest(type(recommender)),
        *_language_model(recommender, data),
    ]
    return content_digest({"facts": np.array(facts, dtype=object)})


def _language_model(recommender: Recommender, data: TrainingData) -> tuple[str, ...]:
    """Return fingerprint and precision of the language model that a recommender reads, if any."""
    if "encoder" not in recommender.reads:
        return ()
    from longtail.text.weights import (  # noqa: PLC0415 imports torch
        available_model,
        resolved_precision,
        weights_fingerprint,
    )

    encoder = data.items.encoder
    model = getattr(recommender, "model", None) or encoder.model
    location = available_model(model, f"recommenders.settings.{type(recommender).__name__}.model")
    precisions = (resolved_precision(precision) for precision in ("auto", encoder.precision))
    return weights_fingerprint(location), *precisions
