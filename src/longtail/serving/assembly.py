"""Puts the served hybrid together from what the pipelines make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from longtail.arrays import Arrays
from longtail.behaviour.histories import Histories
from longtail.errors import UserError
from longtail.hybrid.model import Hybrid
from longtail.hybrid.parameters import HybridParameters
from longtail.recommenders.collaborative.item_knn import graph_of
from longtail.recommenders.fitted_model import FittedModel, applicable
from longtail.recommenders.item_features import ItemFeatures
from longtail.serving.hybrid import ServedHybrid
from longtail.text.keywords import KeywordTable
from longtail.text.text_map import TextMap
from longtail.text.weights import resolved_precision


def assemble(
    parameters: HybridParameters,
    gate: dict[str, Any],
    models: Mapping[str, FittedModel],
    histories: Histories,
    features: ItemFeatures,
    items: pd.DataFrame,
    understanding: pd.DataFrame,
    language_vectors: Arrays,
    adapted_vectors: Arrays,
    vector_choice: Mapping[str, Any],
    item_knn: FittedModel | None = None,
) -> ServedHybrid:
    """Return the hybrid with everything that lists and reasons need.

    Args:
        parameters: of the hybrid.
        gate: as ``Hybrid.to_json`` returns it.
        models: the fitted sources, by name.
        histories: what the sources were fitted on.
        features: of the items.
        items: item_id, title in catalogue order.
        understanding: keywords of the items.
        language_vectors: frozen vectors with their whitening.
        adapted_vectors: adapted vectors with what was learned.
        vector_choice: ``chosen``: frozen or adapted.
        item_knn: the model whose graph says which items are often chosen together; None: reasons
            name no such items.

    Raises:
        UserError: the gate was fitted with other sources.
    """
    sources = applicable(models, parameters.sources)
    fitted = Hybrid.from_json(gate)
    if fitted.gate.names[: len(sources)] != tuple(sources):
        raise UserError(
            "The gate was fitted with other sources than hybrid.sources names now. Use the"
            " parameters of the evaluated run, or run `kedro run"
            " --pipelines=hybrid_scoring,evaluation` with the new ones."
        )
    catalogue = items[["item_id", "title"]].assign(
        text=features.texts, keywords=understanding["keywords"].to_numpy()
    )
    if any("attributes" in model.recommender.reads for model in sources.values()):
        attributes = {str(name): column.to_numpy() for name, column in features.attributes.items()}
        catalogue = catalogue.assign(**attributes)
    # New texts are encoded as those of the catalogue were, whatever the processor of the server.
    encoder = features.encoder
    encoder = encoder.model_copy(update={"precision": resolved_precision(encoder.precision)})
    adapted = adapted_vectors if vector_choice["chosen"] == "adapted" else {}
    return ServedHybrid(
        hybrid=fitted,
        parameters=parameters,
        sources=sources,
        histories=histories,
        item_vectors=features.vectors,
        behaviour_graph=graph_of(item_knn.arrays if item_knn else {}, histories.n_items),
        text_graph=features.text_neighbours,
        items=catalogue,
        keywords=KeywordTable.of(catalogue["text"], catalogue["keywords"]),
        frozen_vectors=language_vectors["vectors"],
        frozen_graph=features.frozen_neighbours,
        text_map=TextMap(encoder, _without_vectors(language_vectors), _without_vectors(adapted)),
    )


def _without_vectors(arrays: Arrays) -> Arrays:
    """Return what made the vectors of the catalogue, without them."""
    left_out = ("vectors", "curve.")
    return {name: array for name, array in arrays.items() if not name.startswith(left_out)}
