"""A pretrained language model reads user and item side by side and says how well they match."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from longtail.arrays import Arrays
from longtail.errors import NotApplicableError, UserError
from longtail.models.base import TrainingData, top_items
from longtail.models.negatives import TextNeighbours, draw_earlier
from longtail.models.sequences import Sequences
from longtail.models.training import NetworkRecommender, Objective, device_of
from longtail.text.weights import best_precision, load_transformer

PAIRS_AT_ONCE = 64
FIRST_MATCH_WEIGHT = 3.0
HARD_NEGATIVES_FROM = 100


class LanguageModelRanker(NetworkRecommender):
    """Re-rank the items that match a user's history in content, by a fine-tuned language model.

    The model reads the pair [texts of the user's latest items ; text of the candidate], as in
    Nogueira, Cho: Passage Re-ranking with BERT, 2019, and a head on the mean of its last states
    gives one number: the log odds of an interaction (cross-entropy) or the stars of a rating (mean
    square error). Encoders (BERT), decoders (GPT) and encoder-decoders (T5, whose encoder is used)
    are taken alike. Half of the negatives are content matches of the user that were not chosen,
    half are drawn as often as they are popular, so that popularity alone tells nothing.

    Reading a pair costs milliseconds: only the first ``candidates`` matches are read, all other
    items follow in the order of the content match.
    """

    model: str = Field(
        "", description="Folder, hub id, `package:<name>` or a GGUF file; empty: the encoder's."
    )
    task: Literal["click", "rating"] = Field(
        "click", description="Chance of an interaction, or stars where there are ratings."
    )
    max_tokens: int = Field(64, ge=8, description="Tokens of a pair that are read.")
    profile_items: int = Field(4, ge=1, description="Latest items in a user's text.")
    words_per_item: int = Field(10, ge=1, description="First words of each item's text.")
    recency_decay: float = Field(0.7, gt=0, le=1, description="Weight lost per newer item.")
    candidates: int = Field(20, ge=1, description="Content matches that are read for a user.")
    examples: int = Field(3000, ge=1, description="Interactions learned from, drawn at random.")
    negatives: int = Field(3, ge=1, description="Items not chosen for each interaction.")
    trained_layers: int = Field(
        2, ge=0, description="Last layers that learn; the others stay as they are."
    )
    lora_rank: int = Field(
        0, ge=0, description="Learn low-rank updates of all layers instead (needs peft); 0: no."
    )
    batch_size: int = Field(16, ge=1, description="Interactions in a batch.")
    epochs: int = Field(2, ge=1, description="Passes over the examples at most.")
    learning_rate: float = Field(2e-4, gt=0, description="Highest rate of AdamW.")
    warm_up: float = Field(0.1, ge=0, le=1, description="Share of the steps with a rising rate.")
    validation_users: int = Field(200, ge=0, description="Users held out at most.")

    reads: ClassVar[tuple[str, ...]] = (
        "item_vectors",
        "text_neighbours",
        "item_texts",
        "ratings",
        "language_model",
    )
    evidence: ClassVar[str] = "what a language model makes of your items and its description"

    @property
    def held_out_users(self) -> int:
        """Nobody where stars are learned: an NDCG does not judge them, and all epochs are run."""
        return self.validation_users if self.task == "click" else 0

    def network(self, data: TrainingData) -> nn.Module:
        """Return the pretrained model with a new head.

        Raises:
            NotApplicableError: items have no texts, or interactions no ratings to learn.
            UserError: the model cannot be loaded.
        """
        if not (data.item_texts != "").any():
            raise NotApplicableError("LanguageModelRanker is left out: the items have no texts.")
        if self.task == "rating" and not np.isfinite(data.ratings).any():
            raise NotApplicableError(
                "LanguageModelRanker is left out: its task is rating and the data have no ratings."
            )
        click = self.task == "click"
        return _PairReader(
            self.model or data.language_model,
            self.max_tokens,
            self.trained_layers,
            self.lora_rank,
            match_weight=FIRST_MATCH_WEIGHT if click else 0.0,
            offset=-float(np.log(self.negatives)) if click else 0.0,
        )

    def objective(self, network: Any, data: TrainingData) -> Objective:
        """Return the loss of drawn interactions and of items that were not chosen."""
        histories = data.histories
        sequences = Sequences.of(histories)
        users = torch.from_numpy(histories.users.astype(np.int64))
        position = torch.arange(len(users)) - sequences.first[users]
        eligible = np.flatnonzero(position > 0)
        if self.task == "rating":
            eligible = eligible[np.isfinite(data.ratings[eligible])]
            network.set_scale(data.ratings[eligible])
        draw = np.random.default_rng([data.seed, 2])
        size = min(self.examples, len(eligible))
        rows = torch.from_numpy(np.sort(draw.choice(eligible, size, replace=False)))
        texts = self._short_texts(data)
        neighbours = TextNeighbours.of(data.text_neighbours, HARD_NEGATIVES_FROM)

        def negatives(ends: Tensor, generator: torch.Generator) -> Tensor:
            """Return (n, negatives) items: neighbours of an earlier item, others by popularity."""
            shape = (len(ends), self.negatives)
            popular = sequences.items[torch.randint(len(users), shape, generator=generator)]
            earlier = draw_earlier(ends, position[ends], self.negatives, generator)
            close, there = neighbours.draw(sequences.items[earlier], generator)
            hard = there & (torch.arange(self.negatives) % 2 == 0)
            return torch.where(hard, close, popular)

        def click_loss(batch: Tensor, generator: torch.Generator) -> Tensor:
            ends = rows[batch]
            chosen = sequences.items[ends][:, None]
            others = negatives(ends, generator)
            items = torch.cat([chosen, others], dim=1)
            labels = torch.zeros(items.shape)
            labels[:, 0] = 1
            weights = torch.cat([torch.ones(chosen.shape), (others != chosen).float()], dim=1)
            logits = self._read(network, data, texts, sequences, users[ends], ends, items)
            device = device_of(network)
            return nn.functional.binary_cross_entropy_with_logits(
                logits, labels.to(device), weights.to(device)
            )

        def rating_loss(batch: Tensor, _: torch.Generator) -> Tensor:
            ends = rows[batch]
            items = sequences.items[ends][:, None]
            found = self._read(network, data, texts, sequences, users[ends], ends, items)[:, 0]
            stars = torch.from_numpy(data.ratings[ends.numpy()]).to(found)
            return nn.functional.mse_loss(found, (stars - network.centre) / network.spread)

        return Objective(size, click_loss if self.task == "click" else rating_loss)

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return scores whose order is: the candidates by the model, then all by content match.

        Candidates have 2 more than what the model gives, pressed between 0 and 1; the others their
        content match between 0 and 1.
        """
        histories = data.histories
        profile = histories.matrix(histories.recency_weights(self.recency_decay))[users]
        matches = (profile @ data.text_neighbours).toarray()
        highest = matches.max(axis=1, keepdims=True, initial=0)
        scores = (matches / np.where(highest > 0, highest, 1)).astype(np.float32)
        unseen = matches
        seen = histories.matrix()[users]
        unseen[np.repeat(np.arange(len(users)), np.diff(seen.indptr)), seen.indices] = -1
        items = top_items(unseen, self.candidates)
        network = self.fitted_network(arrays, data)
        found = self._pair_logits(network, data, users, items)
        np.put_along_axis(scores, items, 2 + 1 / (1 + np.exp(-found)), axis=1)
        return scores

    def predict_ratings(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64], items: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the (n,) stars that users would give items; of a model with the task rating."""
        network = self.fitted_network(arrays, data)
        found = self._pair_logits(network, data, users, items[:, None])[:, 0]
        return found * float(network.spread) + float(network.centre)

    def _pair_logits(
        self, network: Any, data: TrainingData, users: NDArray[np.int64], items: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return what the model gives for (n,) users, after all they did, and (n, m) items."""
        sequences = Sequences.of(data.histories)
        texts = self._short_texts(data)
        index = torch.from_numpy(users)
        ends = sequences.first[index + 1]
        result = np.empty(items.shape, dtype=np.float32)
        block = max(1, PAIRS_AT_ONCE * 8 // items.shape[1])
        with torch.inference_mode():
            for start in range(0, len(users), block):
                part = slice(start, start + block)
                chosen = torch.from_numpy(items[part])
                logits = self._read(
                    network, data, texts, sequences, index[part], ends[part], chosen
                )
                result[part] = logits.cpu().numpy()
        return result

    def _short_texts(self, data: TrainingData) -> NDArray[np.object_]:
        """Return the first words of every item's text."""
        words = (str(text).split()[: self.words_per_item] for text in data.item_texts)
        return np.array([" ".join(part) for part in words], dtype=object)

    def _read(
        self,
        network: Any,
        data: TrainingData,
        texts: NDArray[np.object_],
        sequences: Sequences,
        users: Tensor,
        ends: Tensor,
        items: Tensor,
    ) -> Tensor:
        """Return (n, m) logits of n users, before rows of the histories, and their m items each."""
        rows, present = sequences.before(users, ends, self.profile_items)
        history = sequences.items[rows]
        profiles = [
            "; ".join(texts[own[there]][::-1])
            for own, there in zip(history.numpy(), present.numpy(), strict=True)
        ]
        vectors = torch.from_numpy(data.item_vectors)
        age = present.flip(1).cumsum(1).flip(1) - 1
        importance = present * self.recency_decay ** age.clamp(min=0)
        profile = nn.functional.normalize((importance[..., None] * vectors[history]).sum(1), dim=1)
        match = torch.einsum("nd,nmd->nm", profile, vectors[items])
        repeated = [text for text in profiles for _ in range(items.shape[1])]
        logits = network(repeated, texts[items.numpy().ravel()].tolist(), match.ravel())
        return logits.reshape(items.shape)


class _PairReader(nn.Module):
    """A pretrained transformer with a head that gives one number a pair of texts."""

    centre: Tensor
    spread: Tensor

    def __init__(
        self,
        model: str,
        max_tokens: int,
        trained_layers: int,
        lora_rank: int,
        match_weight: float,
        offset: float,
    ):
        super().__init__()
        self.max_tokens = max_tokens
        self.tokenizer, body = _load(model)
        self.body = _with_lora(body, lora_rank) if lora_rank else _frozen(body, trained_layers)
        size = body.config.hidden_size
        last = nn.Linear(size, 1)
        # The first guess is the content match, or the mean rating, alone.
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, offset)
        self.head = nn.Sequential(nn.Linear(size, size), nn.Tanh(), nn.Dropout(0.1), last)
        self.match_weight = nn.Parameter(torch.tensor(match_weight))
        self.register_buffer("centre", torch.tensor(0.0))
        self.register_buffer("spread", torch.tensor(1.0))

    def set_scale(self, ratings: NDArray[np.float32]) -> None:
        """Let the outputs be ratings with the mean and spread of these."""
        self.centre.fill_(float(ratings.mean()))
        self.spread.fill_(max(float(ratings.std()), 1e-3))

    def forward(self, users: list[str], items: list[str], match: Tensor) -> Tensor:
        """Return (n,) numbers of n pairs; pairs of like length are read together."""
        device = device_of(self)
        length = np.array([len(user) + len(item) for user, item in zip(users, items, strict=True)])
        order = np.argsort(length, kind="stable")
        parts = [
            self._read([users[n] for n in chosen], [items[n] for n in chosen])
            for chosen in _parts(order, PAIRS_AT_ONCE)
        ]
        back = torch.from_numpy(np.argsort(order, kind="stable")).to(device)
        return torch.cat(parts)[back] + self.match_weight * match.to(device)

    def _read(self, users: list[str], items: list[str]) -> Tensor:
        device = device_of(self)
        pairs: tuple[list[str], ...] = (users, items)
        if self.tokenizer.sep_token is None:
            pairs = ([f"{user} => {item}" for user, item in zip(users, items, strict=True)],)
        tokens = self.tokenizer(
            *pairs, truncation=True, max_length=self.max_tokens, padding=True, return_tensors="pt"
        ).to(device)
        dtype = best_precision("auto")
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            states = self.body(**tokens).last_hidden_state
        there = tokens["attention_mask"][..., None].to(torch.float32)
        mean = (states.float() * there).sum(dim=1) / there.sum(dim=1).clamp(min=1)
        return self.head(mean)[:, 0]


def _parts(order: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _load(model: str) -> tuple[Any, Any]:
    """Return tokenizer and transformer; of an encoder-decoder the encoder."""
    tokenizer, body = load_transformer(
        model, "language_model_ranker.model", "AutoModel", torch.float32
    )
    return tokenizer, body.get_encoder() if body.config.is_encoder_decoder else body


def _frozen(body: nn.Module, trained_layers: int) -> nn.Module:
    """Fix all weights but those of the last layers."""
    body.requires_grad_(False)
    layers = next(part for part in body.modules() if isinstance(part, nn.ModuleList))
    for layer in layers[max(0, len(layers) - trained_layers) :]:
        layer.requires_grad_(True)
    return body


def _with_lora(body: nn.Module, rank: int) -> nn.Module:
    """Fix all weights and add low-rank updates (Hu et al.: LoRA, ICLR 2022)."""
    if importlib.util.find_spec("peft") is None:
        raise UserError(
            "The parameter lora_rank of LanguageModelRanker needs the package peft, which is not"
            " installed. Install longtail[lora], or set lora_rank to 0 and train the last layers."
        )
    import peft  # noqa: PLC0415 optional

    config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear")
    with warnings.catch_warnings():
        # peft asks transformers by a name that is going away.
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        return peft.get_peft_model(body, config)
