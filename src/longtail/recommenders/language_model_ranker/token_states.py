"""Token states: the output of the lower layers of a transformer for each text on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from longtail.progress import progress
from longtail.recommenders.neural.training import best_device
from longtail.text.weights import best_precision, load_transformer

PAIRS_AT_ONCE = 64
NO_TEXT = -1
# Read in place of an empty text.
PLACEHOLDER = "unknown"


@dataclass(frozen=True)
class TokenStates:
    """Token states of all texts, without special tokens.

    Attributes:
        first: (n_texts + 1,) int64; the tokens of text t are ``states[first[t]:first[t + 1]]``.
        states: (n_tokens, size) bfloat16.
    """

    first: Tensor
    states: Tensor

    def lengths(self, texts: Tensor) -> Tensor:
        """Return the number of tokens of texts, 0 for ``NO_TEXT``."""
        return self.first[texts + 1] - self.first[texts.clamp(min=0)]

    def joined(self, texts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the states of concatenated texts.

        Args:
            texts: (n, m) texts, ``NO_TEXT`` for none.

        Returns:
            (n, L, size) states, (n, L) the number of the text that each belongs to, and (n, L)
            whether there is a state.
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


def load_reader(model: str) -> tuple[Any, Any]:
    """Return tokenizer and transformer; the encoder of an encoder-decoder."""
    tokenizer, body = load_transformer(
        model, "language_model_ranker.model", "AutoModel", torch.float32
    )
    body = body.get_encoder() if body.config.is_encoder_decoder else body
    body.config.use_cache = False
    return tokenizer, body.eval()


@lru_cache(maxsize=1)
def token_states(
    model: str, joint_layers: int, tokens_per_item: int, texts: tuple[str, ...]
) -> TokenStates:
    """Return the output of all layers below the joint ones for each text; cached for one call."""
    tokenizer, body = load_reader(model)
    body.to(best_device())
    _, layers = layers_of(body)
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
        replaced_input(layers[max(0, len(layers) - joint_layers)], keep),
    ):
        starts = range(PAIRS_AT_ONCE, len(order), PAIRS_AT_ONCE)
        for part in progress(np.split(order, starts), desc="Reading item texts"):
            given = [texts[n] or PLACEHOLDER for n in part]
            tokens, own = _tokens(tokenizer, given, tokens_per_item)
            body(**tokens.to(best_device()))
            for n, state, mask in zip(part, kept.pop().cpu(), own, strict=True):
                found[n] = state[mask].to(torch.bfloat16)
                lengths[n] = len(found[n])
    first = torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)]))
    return TokenStates(first, torch.cat([found[n] for n in range(len(texts))]))


def _tokens(tokenizer: Any, texts: list[str], tokens_per_item: int) -> tuple[Any, Tensor]:
    """Return the input of a transformer and a mask of the tokens that are not special.

    A text without such a token keeps its first special token.
    """
    n_special = tokenizer.num_special_tokens_to_add()
    tokens = tokenizer(
        texts,
        truncation=True,
        max_length=tokens_per_item + n_special,
        padding=True,
        return_special_tokens_mask=True,
        return_tensors="pt",
    )
    special = tokens.pop("special_tokens_mask").bool()
    own = tokens["attention_mask"].bool() & ~special
    own[:, 0] |= ~own.any(dim=1)
    return tokens, own


def layers_of(body: nn.Module) -> tuple[str, nn.ModuleList]:
    """Return the name and the layers of a transformer, its first list of modules."""
    return next(
        (name, module) for name, module in body.named_modules() if isinstance(module, nn.ModuleList)
    )


@contextmanager
def replaced_input(layer: nn.Module, replace: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Replace the hidden states that a layer reads by a function of them."""

    def hook(_: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        if args:
            return (replace(args[0]), *args[1:]), kwargs
        return args, kwargs | {"hidden_states": replace(kwargs["hidden_states"])}

    handle = layer.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()
