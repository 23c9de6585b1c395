"""A pretrained language model that reads user and item together and scores the match."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from longtail.arrays import Arrays
from longtail.errors import NotApplicableError
from longtail.recommenders.base import Decay, TrainingData
from longtail.recommenders.content.text_profile import user_profiles
from longtail.recommenders.language_model_ranker.biases import (
    bias_ratings,
    left_out_bias_ratings,
)
from longtail.recommenders.language_model_ranker.pair_reader import PairReader, last_layers
from longtail.recommenders.language_model_ranker.token_states import (
    NO_TEXT,
    PAIRS_AT_ONCE,
    load_reader,
    token_states,
)
from longtail.recommenders.neural.negatives import Owned, TextNeighbours, draw_earlier
from longtail.recommenders.neural.sequences import Sequences
from longtail.recommenders.neural.training import (
    Loss,
    NetworkRecommender,
    Objective,
    device_of,
)
from longtail.top_k import rank_unseen

FIRST_MATCH_WEIGHT = 3.0
# Older items of a user hardly count in the content match.
MATCHED_ITEMS = 32
HARD_NEGATIVES_FROM = 100


class LanguageModelRanker(NetworkRecommender[PairReader]):
    """Re-rank the best content matches of a user with a fine-tuned language model.

    The model reads the pair [texts of the user's latest items; text of the candidate] as in
    Nogueira, Cho: Passage Re-ranking with BERT, 2019. A head on the mean of the last states returns
    the log odds of an interaction (cross-entropy), or the residual of a rating after user and item
    biases (mean square error). Encoders (BERT), decoders (GPT) and encoder-decoders (T5, encoder
    only) are supported. Every second negative is a text neighbour of an item of the user, where
    there is one that the user lacks; the others are drawn in proportion to their popularity, so
    that popularity alone does not separate the classes. None is an item that the user has.

    The lower layers read each item's text once, on its own; the last layers read the pair and are
    fine-tuned (MacAvaney et al.: Efficient Document Re-Ranking for Transformers by Precomputing
    Term Representations, SIGIR 2020). A pair still takes almost a millisecond, so only the first
    ``candidates`` matches are read; all other items follow in the order of their content match.
    """

    model: str = Field(
        "",
        description="Local folder, hub id, `package:<name>` or GGUF file; empty: the model of the"
        " encoder.",
    )
    task: Literal["click", "rating"] = Field(
        "click", description="Predict interactions (`click`) or stars (`rating`, needs ratings)."
    )
    profile_items: int = Field(4, ge=1, description="Latest items in the text of a user.")
    tokens_per_item: int = Field(8, ge=1, description="Leading tokens of each item text.")
    recency_decay: Decay = 0.85
    candidates: int = Field(20, ge=1, description="Content matches that are re-ranked.")
    examples: int = Field(
        3000, ge=1, description="Maximum number of training interactions, drawn at random."
    )
    negatives: int = Field(3, ge=1, description="Negatives for each interaction.")
    joint_layers: int = Field(
        2,
        ge=1,
        description="Last layers that read user and item together and are fine-tuned; the layers"
        " below read each text on its own and are frozen.",
    )
    lora_rank: int = Field(
        0,
        ge=0,
        description="Rank of LoRA updates of the joint layers (needs peft); 0: all weights of these"
        " layers are fine-tuned.",
    )
    batch_size: int = Field(16, ge=1, description="Interactions in a batch.")
    epochs: int = Field(2, ge=1, description="Maximum number of epochs.")
    learning_rate: float = Field(2e-4, gt=0, description="Peak learning rate of AdamW.")
    warm_up: float = Field(
        0.1, ge=0, le=1, description="Share of the steps in which the learning rate rises."
    )
    validation_users: int = Field(
        200, ge=0, description="Maximum number of users with a held-out interaction."
    )

    reads: ClassVar[tuple[str, ...]] = (
        "vectors",
        "text_neighbours",
        "texts",
        "encoder",
    )
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "recency_decay": [0.7, 0.85, 1.0]
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = tuple(
        {"recency_decay": decay} for decay in (0.85, 0.7, 1.0)
    )
    evidence: ClassVar[str] = (
        "how well its description matches your latest items, according to a language model"
    )

    @property
    def held_out_users(self) -> int:
        """Maximum number of held-out users; 0 for ratings, which run all epochs."""
        return super().held_out_users if self.task == "click" else 0

    def network(self, data: TrainingData) -> PairReader:
        """Return the pretrained model with a new head.

        Raises:
            NotApplicableError: there are no item texts, or no ratings for the task `rating`.
            UserError: the model cannot be loaded.
        """
        if not (data.items.texts != "").any():
            raise NotApplicableError("LanguageModelRanker is left out: the items have no texts.")
        if self.task == "rating" and not np.isfinite(data.ratings).any():
            raise NotApplicableError(
                "LanguageModelRanker is left out: its task is rating, and the data have no ratings."
            )
        click = self.task == "click"
        model = self.model or data.items.encoder.model
        texts = tuple(map(str, data.items.texts))
        return PairReader(
            token_states(model, self.joint_layers, self.tokens_per_item, texts),
            last_layers(load_reader(model)[1], self.joint_layers, self.lora_rank),
            texts_in_pair=self.profile_items + 1,
            match_weight=FIRST_MATCH_WEIGHT if click else 0.0,
            offset=-float(np.log(self.negatives)) if click else 0.0,
        )

    def objective(self, network: PairReader, data: TrainingData) -> Objective:
        """Return the loss over a random sample of the interactions."""
        sequences = Sequences.of(data.histories)
        eligible = np.flatnonzero(sequences.positions.numpy() > 0)
        if self.task == "rating":
            eligible = eligible[np.isfinite(data.ratings[eligible])]
        draw = np.random.default_rng([data.seed, 2])
        size = min(self.examples, len(eligible))
        ends = torch.from_numpy(np.sort(draw.choice(eligible, size, replace=False)))
        if self.task == "click":
            return Objective(size, self._click_loss(network, data, sequences, ends))
        residuals = _rating_residuals(data)
        network.set_spread(residuals[eligible])
        return Objective(size, self._rating_loss(network, data, sequences, ends, residuals))

    def _click_loss(
        self, network: PairReader, data: TrainingData, sequences: Sequences, ends: Tensor
    ) -> Loss:
        """Return the cross-entropy of interactions (rows of the histories) and negatives."""
        positions = sequences.positions
        neighbours = TextNeighbours.of(data.items.text_neighbours, HARD_NEGATIVES_FROM)
        owned = Owned.of(data.histories)

        def negatives(rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
            """Return (n, negatives) items, and whether the user lacks them, as a negative must.

            By popularity, and neighbours of an earlier item that the user lacks.
            """
            shape = (len(rows), self.negatives)
            drawn = torch.randint(len(positions), shape, generator=generator)
            popular = sequences.items[drawn]
            earlier = draw_earlier(rows, positions[rows], self.negatives, generator)
            close, there = neighbours.draw(sequences.items[earlier], generator)
            users = sequences.users[rows]
            hard = there & (torch.arange(self.negatives) % 2 == 0) & ~owned.among(users, close)
            drawn = torch.where(hard, close, popular)
            return drawn, ~owned.among(users, drawn)

        def loss(batch: Tensor, generator: torch.Generator) -> Tensor:
            rows = ends[batch]
            chosen = sequences.items[rows][:, None]
            others, lacking = negatives(rows, generator)
            items = torch.cat([chosen, others], dim=1)
            labels = torch.zeros(items.shape)
            labels[:, 0] = 1
            weights = torch.cat([torch.ones(chosen.shape), lacking.float()], dim=1)
            logits = self._read(network, data, sequences, sequences.users[rows], rows, items)
            device = device_of(network)
            return nn.functional.binary_cross_entropy_with_logits(
                logits, labels.to(device), weights.to(device)
            )

        return loss

    def _rating_loss(
        self,
        network: PairReader,
        data: TrainingData,
        sequences: Sequences,
        ends: Tensor,
        residuals: NDArray[np.floating],
    ) -> Loss:
        """Return the mean square error of the residuals of the interactions."""

        def loss(batch: Tensor, _: torch.Generator) -> Tensor:
            rows = ends[batch]
            items = sequences.items[rows][:, None]
            found = self._read(network, data, sequences, sequences.users[rows], rows, items)[:, 0]
            wanted = torch.from_numpy(residuals[rows.numpy()]).to(found)
            return nn.functional.mse_loss(found, wanted / network.spread)

        return loss

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return scores that rank candidates by the model and all other items below them.

        A candidate scores 2 plus the sigmoid of its logit, any other item its content match scaled
        to [0, 1].
        """
        matches = user_profiles(data, users, self.recency_decay) @ data.items.vectors.T
        scores = ((1 + matches) / 2).astype(np.float32)
        items, _ = rank_unseen(matches, data.histories.unlisted(users), self.candidates)
        network = self.fitted_network(arrays, data)
        found = self._pair_logits(network, data, users, items)
        np.put_along_axis(scores, items, 2 + 1 / (1 + np.exp(-found)), axis=1)
        return scores

    def predict_ratings(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64], items: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return (n,) predicted stars of user-item pairs; for the task `rating`."""
        network = self.fitted_network(arrays, data)
        found = self._pair_logits(network, data, users, items[:, None])[:, 0]
        expected = bias_ratings(data.histories, data.ratings, users, items)
        return (found * float(network.spread) + expected).astype(np.float32)

    def _pair_logits(
        self,
        network: PairReader,
        data: TrainingData,
        users: NDArray[np.int64],
        items: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Return (n, m) logits of users with their whole history and m items each."""
        sequences = Sequences.of(data.histories)
        index = torch.from_numpy(users)
        ends = sequences.first[index + 1]
        result = np.empty(items.shape, dtype=np.float32)
        block = max(1, PAIRS_AT_ONCE * 8 // items.shape[1])
        with torch.inference_mode():
            for start in range(0, len(users), block):
                part = slice(start, start + block)
                chosen = torch.from_numpy(items[part])
                logits = self._read(network, data, sequences, index[part], ends[part], chosen)
                result[part] = logits.cpu().numpy()
        return result

    def _read(
        self,
        network: PairReader,
        data: TrainingData,
        sequences: Sequences,
        users: Tensor,
        ends: Tensor,
        items: Tensor,
    ) -> Tensor:
        """Return (n, m) logits of m items each, for users before given rows of the histories."""
        rows, present = sequences.before(users, ends, max(self.profile_items, MATCHED_ITEMS))
        history = sequences.items[rows]
        vectors = torch.from_numpy(data.items.vectors)
        decay = self.recency_decay if data.histories.has_order else 1.0
        age = torch.arange(rows.shape[1] - 1, -1, -1)
        importance = present * sequences.weights[rows] * decay**age
        profile = nn.functional.normalize((importance[..., None] * vectors[history]).sum(1), dim=1)
        match = torch.einsum("nd,nmd->nm", profile, vectors[items])
        texts = torch.where(present, history, NO_TEXT)[:, -self.profile_items :]
        texts = nn.functional.pad(texts, (self.profile_items - texts.shape[1], 0), value=NO_TEXT)
        texts = texts[:, None].expand(-1, items.shape[1], -1)
        pairs = torch.cat([texts, items[..., None]], dim=2).flatten(0, 1)
        logits: Tensor = network(pairs, match.ravel())
        return logits.reshape(items.shape)


def _rating_residuals(data: TrainingData) -> NDArray[np.floating]:
    """Return (n,) what the biases, estimated from the other ratings, leave of each rating."""
    return data.ratings - left_out_bias_ratings(data.histories, data.ratings)
