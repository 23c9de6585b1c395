"""Which models a run fits, by the parameters of its environment."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from longtail.recommenders.registry import MODELS

if TYPE_CHECKING:
    from longtail.pipelines.parameters import Parameters

ALS = "als"


@dataclass(frozen=True)
class ModelSelection:
    """The models that a run fits, and what for.

    Attributes:
        fitted: all models that are fitted, in the order of the registry: those to compare, the
            sources of the hybrid, the baseline, and ALS in any case.
        sources: those of them that are sources of the hybrid.
        baseline: the one that the others are compared with.
    """

    fitted: tuple[str, ...]
    sources: tuple[str, ...]
    baseline: str

    @classmethod
    def of(cls, parameters: Parameters) -> ModelSelection:
        """Read the selection from the parameters."""
        sources, baseline = parameters.hybrid.sources, parameters.evaluation.baseline
        wanted = {*parameters.recommenders.fitted, *sources, baseline, ALS}
        fitted = tuple(name for name in MODELS if name in wanted)
        return cls(fitted, sources, baseline)

    @property
    def other_than_als(self) -> tuple[str, ...]:
        """The fitted models that the pipeline recommenders fits."""
        return tuple(name for name in self.fitted if name != ALS)

    @property
    def collaborative_sources(self) -> tuple[str, ...]:
        """The sources that read nothing but behaviour."""
        return tuple(name for name in self.sources if not MODELS[name].reads)

    def sources_that_read(self, features: Collection[str]) -> tuple[str, ...]:
        """The sources that read item features, and none but the given ones."""
        return tuple(
            name
            for name in self.sources
            if MODELS[name].reads and set(MODELS[name].reads) <= set(features)
        )
