"""A pretrained language model reads user and item side by side and says how well they match."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm.auto import tqdm

from longtail.arrays import Arrays
from longtail.errors import NotApplicableError, UserError
from longtail.models.base import TrainingData, rank_unseen
from longtail.models.negatives import TextNeighbours, draw_earlier
from longtail.models.rating_quality import bias_ratings
from longtail.models.sequences import Sequences
from longtail.models.text_profile import user_profiles
from longtail.models.training import NetworkRecommender, Objective, best_device, device_of
from longtail.text.weights import best_precision, load_transformer

PAIRS_AT_ONCE = 64
NO_TEXT = -1
NOTHING_SAID = "unknown"
FIRST_MATCH_WEIGHT = 3.0
# Older items of a user hardly count in the content match.
MATCHED_ITEMS = 32
HARD_NEGATIVES_FROM = 100


class LanguageModelRanker(NetworkRecommender):
    """Re-rank the items that match a user's history in content, by a fine-tuned language model.

    The model reads the pair [texts of the user's latest items ; text of the candidate], as in
    Nogueira, Cho: Passage Re-ranking with BERT, 2019, and a head on the mean of its last states
    gives one number: the log odds of an interaction (cross-entropy), or what the biases of user and
    item leave of the stars of a rating (mean square error). Encoders (BERT), decoders (GPT) and
    encoder-decoders (T5, whose encoder is used) are taken alike. Half of the negatives are content
    matches of the user that were not chosen, half are drawn as often as they are popular, so that
    popularity alone tells nothing.

    The lower layers read every item's text alone, once; the last ones read the pair, and learn
    (MacAvaney et al.: Efficient Document Re-Ranking for Transformers by Precomputing Term
    Representations, SIGIR 2020). A pair still costs the best part of a millisecond: only the first
    ``candidates`` matches are read, all other items follow in the order of the content match.
    """

    model: str = Field(
        "", description="Folder, hub id, `package:<name>` or a GGUF file; empty: the encoder's."
    )
    task: Literal["click", "rating"] = Field(
        "click", description="Chance of an interaction, or stars where there are ratings."
    )
    profile_items: int = Field(4, ge=1, description="Latest items in a user's text.")
    tokens_per_item: int = Field(8, ge=1, description="First tokens of each item's text.")
    recency_decay: float = Field(0.85, gt=0, le=1, description="Weight lost per newer item.")
    candidates: int = Field(20, ge=1, description="Content matches that are read for a user.")
    examples: int = Field(3000, ge=1, description="Interactions learned from, drawn at random.")
    negatives: int = Field(3, ge=1, description="Items not chosen for each interaction.")
    joint_layers: int = Field(
        2,
        ge=1,
        description="Last layers that read user and item together, and learn; those below read"
        " each text alone and stay as they are.",
    )
    lora_rank: int = Field(
        0,
        ge=0,
        description="Rank of the updates that the joint layers learn by LoRA (needs peft); 0: all"
        " their weights learn.",
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
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "recency_decay": [0.7, 0.85, 1.0]
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = tuple(
        {"recency_decay": decay} for decay in (0.85, 0.7, 1.0)
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
        model = self.model or data.language_model
        texts = tuple(map(str, data.item_texts))
        return _PairReader(
            _token_states(model, self.joint_layers, self.tokens_per_item, texts),
            _last_layers(_load(model)[1], self.joint_layers, self.lora_rank),
            texts_in_pair=self.profile_items + 1,
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
            own = (part.astype(np.int64) for part in (histories.users, histories.items))
            surprises = data.ratings - bias_ratings(histories, data.ratings, *own)
            network.set_spread(surprises[eligible])
        draw = np.random.default_rng([data.seed, 2])
        size = min(self.examples, len(eligible))
        rows = torch.from_numpy(np.sort(draw.choice(eligible, size, replace=False)))
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
            logits = self._read(network, data, sequences, users[ends], ends, items)
            device = device_of(network)
            return nn.functional.binary_cross_entropy_with_logits(
                logits, labels.to(device), weights.to(device)
            )

        def rating_loss(batch: Tensor, _: torch.Generator) -> Tensor:
            ends = rows[batch]
            items = sequences.items[ends][:, None]
            found = self._read(network, data, sequences, users[ends], ends, items)[:, 0]
            wanted = torch.from_numpy(surprises[ends.numpy()]).to(found)
            return nn.functional.mse_loss(found, wanted / network.spread)

        return Objective(size, click_loss if self.task == "click" else rating_loss)

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return scores whose order is: the candidates by the model, then all by content match.

        Candidates have 2 more than what the model gives, pressed between 0 and 1; the others their
        content match between 0 and 1.
        """
        matches = user_profiles(data, users, self.recency_decay) @ data.item_vectors.T
        scores = ((1 + matches) / 2).astype(np.float32)
        items, _ = rank_unseen(matches, data.histories.profiles(users), self.candidates)
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
        expected = bias_ratings(data.histories, data.ratings, users, items)
        return (found * float(network.spread) + expected).astype(np.float32)

    def _pair_logits(
        self, network: Any, data: TrainingData, users: NDArray[np.int64], items: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return what the model gives for (n,) users, after all they did, and (n, m) items."""
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
        network: Any,
        data: TrainingData,
        sequences: Sequences,
        users: Tensor,
        ends: Tensor,
        items: Tensor,
    ) -> Tensor:
        """Return (n, m) logits of n users, before rows of the histories, and their m items each."""
        rows, present = sequences.before(users, ends, max(self.profile_items, MATCHED_ITEMS))
        history = sequences.items[rows]
        vectors = torch.from_numpy(data.item_vectors)
        decay = self.recency_decay if data.histories.has_order else 1.0
        age = torch.arange(rows.shape[1] - 1, -1, -1)
        importance = present * sequences.weights[rows] * decay**age
        profile = nn.functional.normalize((importance[..., None] * vectors[history]).sum(1), dim=1)
        match = torch.einsum("nd,nmd->nm", profile, vectors[items])
        told = torch.where(present, history, NO_TEXT)[:, -self.profile_items :]
        told = nn.functional.pad(told, (self.profile_items - told.shape[1], 0), value=NO_TEXT)
        told = told[:, None].expand(-1, items.shape[1], -1)
        pairs = torch.cat([told, items[..., None]], dim=2).flatten(0, 1)
        return network(pairs, match.ravel()).reshape(items.shape)


@dataclass(frozen=True)
class _TokenStates:
    """What the lower layers of a transformer make of each text alone.

    Attributes:
        first: (n_texts + 1,) int64 place of each text's first token.
        states: (n_tokens, size) bfloat16 of all tokens but those that only mark beginning and end.
    """

    first: Tensor
    states: Tensor

    def lengths(self, texts: Tensor) -> Tensor:
        """Return the tokens of texts, 0 where there is ``NO_TEXT``, which is -1."""
        return self.first[texts + 1] - self.first[texts.clamp(min=0)]

    def joined(self, texts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the states of several texts, one text after the other.

        Args:
            texts: (n, m) texts, ``NO_TEXT`` for none.

        Returns:
            (n, L, size) states, which of the m texts (n, L) each belongs to, and (n, L) whether
            there is a state.
        """
        lengths = self.lengths(texts)
        ends = lengths.cumsum(dim=1)
        longest = max(1, int(ends[:, -1].max()))
        place = torch.arange(longest).expand(len(texts), longest).contiguous()
        part = torch.searchsorted(ends, place, right=True)
        there = part < texts.shape[1]
        part = part.clamp(max=texts.shape[1] - 1)
        begins = self.first[texts.clamp(min=0)] - (ends - lengths)
        rows = torch.where(there, begins.gather(1, part) + place, 0)
        return self.states[rows], part, there


class _PairReader(nn.Module):
    """The last layers of a transformer, with a head that gives one number a pair of texts."""

    spread: Tensor

    def __init__(
        self,
        states: _TokenStates,
        body: nn.Module,
        texts_in_pair: int,
        match_weight: float,
        offset: float,
    ):
        super().__init__()
        self.states = states
        self.body = body
        size = states.states.shape[1]
        # Which text of the pair a token belongs to; the model has seen each text alone.
        self.role = nn.Embedding(texts_in_pair, size)
        nn.init.zeros_(self.role.weight)
        last = nn.Linear(size, 1)
        # The first guess is the content match, or the biases of user and item, alone.
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, offset)
        self.head = nn.Sequential(nn.Linear(size, size), nn.Tanh(), nn.Dropout(0.1), last)
        self.match_weight = nn.Parameter(torch.tensor(match_weight))
        self.register_buffer("spread", torch.tensor(1.0))

    def train(self, mode: bool = True) -> _PairReader:
        """Let the head drop units in training; the body never does, which saves much of a step."""
        super().train(mode)
        self.body.eval()
        return self

    def set_spread(self, surprises: NDArray[np.floating]) -> None:
        """Let an output of 1 be the spread of what the biases leave of ratings."""
        self.spread.fill_(max(float(surprises.std()), 1e-3))

    def forward(self, pairs: Tensor, match: Tensor) -> Tensor:
        """Return (n,) numbers of (n, m) texts read together; those of like length at once."""
        device = device_of(self)
        order = torch.argsort(self.states.lengths(pairs).sum(dim=1), stable=True)
        read = torch.cat([self._read(pairs[part]) for part in order.split(PAIRS_AT_ONCE)])
        return read[torch.argsort(order).to(device)] + self.match_weight * match.to(device)

    def _read(self, pairs: Tensor) -> Tensor:
        device = device_of(self)
        states, part, there = (found.to(device) for found in self.states.joined(pairs))
        joint = states.float() + self.role(part)
        _, layers = _layers(self.body)
        dtype = best_precision("auto")
        # On processors the way back through the other kernels takes five times as long.
        plain = self.training and device.type == "cpu"
        with (
            torch.autocast(device.type, dtype, enabled=dtype != torch.float32),
            sdpa_kernel(SDPBackend.MATH) if plain else nullcontext(),
            _exchanged(layers[0], lambda _: joint),
        ):
            output = self.body(inputs_embeds=joint, attention_mask=there.long())
        weight = there[..., None].float()
        mean = (output.last_hidden_state.float() * weight).sum(dim=1)
        return self.head(mean / weight.sum(dim=1).clamp(min=1))[:, 0]


def _load(model: str) -> tuple[Any, Any]:
    """Return tokenizer and transformer; of an encoder-decoder the encoder."""
    tokenizer, body = load_transformer(
        model, "language_model_ranker.model", "AutoModel", torch.float32
    )
    body = body.get_encoder() if body.config.is_encoder_decoder else body
    body.config.use_cache = False
    return tokenizer, body.eval()


@lru_cache(maxsize=1)
def _token_states(
    model: str, joint_layers: int, tokens_per_item: int, texts: tuple[str, ...]
) -> _TokenStates:
    """Return what all layers but the joint ones make of each text; the latest answer is kept."""
    tokenizer, body = _load(model)
    body.to(best_device())
    _, layers = _layers(body)
    lengths = np.zeros(len(texts), dtype=np.int64)
    found: dict[int, Tensor] = {}
    kept: list[Tensor] = []

    def keep(states: Tensor) -> Tensor:
        kept.append(states)
        return states

    order = np.argsort([len(text) for text in texts], kind="stable")
    dtype = best_precision("auto")
    with (
        torch.inference_mode(),
        torch.autocast(best_device().type, dtype, enabled=dtype != torch.float32),
        _exchanged(layers[max(0, len(layers) - joint_layers)], keep),
    ):
        starts = range(PAIRS_AT_ONCE, len(order), PAIRS_AT_ONCE)
        for part in tqdm(np.split(order, starts), desc="Reading items", leave=False):
            given = [texts[n] or NOTHING_SAID for n in part]
            tokens, own = _tokens(tokenizer, given, tokens_per_item)
            body(**tokens.to(best_device()))
            for n, state, mask in zip(part, kept.pop().cpu(), own, strict=True):
                found[n] = state[mask].to(torch.bfloat16)
                lengths[n] = len(found[n])
    first = torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)]))
    return _TokenStates(first, torch.cat([found[n] for n in range(len(texts))]))


def _tokens(tokenizer: Any, texts: list[str], tokens_per_item: int) -> tuple[Any, Tensor]:
    """Return the input of a transformer, and which tokens are a text's own, not marks around it.

    Of a text without any the first mark counts.
    """
    marks = tokenizer.num_special_tokens_to_add()
    tokens = tokenizer(
        texts,
        truncation=True,
        max_length=tokens_per_item + marks,
        padding=True,
        return_special_tokens_mask=True,
        return_tensors="pt",
    )
    special = tokens.pop("special_tokens_mask").bool()
    own = tokens["attention_mask"].bool() & ~special
    own[:, 0] |= ~own.any(dim=1)
    return tokens, own


def _layers(body: nn.Module) -> tuple[str, nn.ModuleList]:
    """Return the name and the layers of a transformer: the first list of modules in it."""
    return next(part for part in body.named_modules() if isinstance(part[1], nn.ModuleList))


def _last_layers(body: nn.Module, joint_layers: int, lora_rank: int) -> nn.Module:
    """Return the transformer without its lower layers; nothing but those that are left learns."""
    body.requires_grad_(False)
    name, layers = _layers(body)
    last = layers[max(0, len(layers) - joint_layers) :]
    _share_positions(layers[0], last[0])
    parent, _, attribute = name.rpartition(".")
    setattr(body.get_submodule(parent), attribute, last)
    if lora_rank:
        return _with_lora(body, lora_rank)
    last.requires_grad_(True)
    return body


def _share_positions(lowest: nn.Module, first: nn.Module) -> None:
    """Give a T5 layer the bias of relative positions that its lowest one makes for all layers."""
    for name, part in lowest.named_modules():
        if getattr(part, "has_relative_attention_bias", False):
            own: Any = first.get_submodule(name)
            own.has_relative_attention_bias = True
            own.relative_attention_bias = part.relative_attention_bias


@contextmanager
def _exchanged(layer: nn.Module, exchange: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Let a layer read what a function makes of the states that it is given."""

    def hook(_: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        if args:
            return (exchange(args[0]), *args[1:]), kwargs
        return args, kwargs | {"hidden_states": exchange(kwargs["hidden_states"])}

    handle = layer.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def _with_lora(body: nn.Module, rank: int) -> nn.Module:
    """Add low-rank updates of all linear maps (Hu et al.: LoRA, ICLR 2022)."""
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
