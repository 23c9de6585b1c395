"""A fitted recommender, and how it is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from longtail.arrays import Arrays, pack_strings, unpack_strings
from longtail.errors import UserError
from longtail.recommenders.base import Recommender
from longtail.recommenders.registry import MODELS

DESCRIPTION = "description"


@dataclass(frozen=True)
class FittedModel:
    """A recommender together with the arrays that its ``fit`` returned.

    Attributes:
        recommender: the hyper-parameters.
        arrays: what was learned; empty where the data did not allow a fit.
        not_applicable: why the data did not allow it, else "".
    """

    recommender: Recommender
    arrays: Arrays
    not_applicable: str = ""

    @property
    def name(self) -> str:
        """Return the name of the model in the configuration."""
        return next(name for name, model in MODELS.items() if model is type(self.recommender))

    def to_arrays(self) -> Arrays:
        """Return what was learned, with the description of the model as further arrays."""
        description = [self.name, self.recommender.model_dump_json(), self.not_applicable]
        return self.arrays | pack_strings(DESCRIPTION, np.array(description, dtype=object))

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> FittedModel:
        """Read what ``to_arrays`` returned."""
        name, hyperparameters, not_applicable = unpack_strings(DESCRIPTION, arrays)
        learned = {key: a for key, a in arrays.items() if not key.startswith(f"{DESCRIPTION}.")}
        return cls(MODELS[name].model_validate_json(hyperparameters), learned, not_applicable)


def applicable(models: Mapping[str, FittedModel], names: Sequence[str]) -> dict[str, FittedModel]:
    """Return the named models, in this order, without those that the data did not allow.

    Raises:
        UserError: the data allowed none of them.
    """
    usable = {name: models[name] for name in names if not models[name].not_applicable}
    if not usable:
        reasons = " ".join(models[name].not_applicable for name in names)
        raise UserError(f"These data allow none of the models {', '.join(names)}. {reasons}")
    return usable
