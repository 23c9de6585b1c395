"""The network that reads user and item together: the last layers of a transformer and a head."""

from __future__ import annotations

import importlib.util
import warnings
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from longtail.errors import UserError
from longtail.recommenders.language_model_ranker.token_states import (
    PAIRS_AT_ONCE,
    TokenStates,
    layers_of,
    replaced_input,
)
from longtail.recommenders.neural.training import device_of
from longtail.text.weights import best_precision


class PairReader(nn.Module):
    """The last layers of a transformer with a head that scores a pair of user and item."""

    spread: Tensor

    def __init__(
        self,
        states: TokenStates,
        body: nn.Module,
        texts_in_pair: int,
        match_weight: float,
        offset: float,
    ):
        super().__init__()
        self.states = states
        self.body = body
        size = states.states.shape[1]
        # Marks the text that a token belongs to; the lower layers saw each text on its own.
        self.role = nn.Embedding(texts_in_pair, size)
        nn.init.zeros_(self.role.weight)
        last = nn.Linear(size, 1)
        # Initially the output is the content match or, for ratings, the biases alone.
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, offset)
        self.head = nn.Sequential(nn.Linear(size, size), nn.Tanh(), nn.Dropout(0.1), last)
        self.match_weight = nn.Parameter(torch.tensor(match_weight))
        self.register_buffer("spread", torch.tensor(1.0))

    def train(self, mode: bool = True) -> PairReader:
        """Switch dropout in the head; the body stays in evaluation mode, which saves time."""
        super().train(mode)
        self.body.eval()
        return self

    def set_spread(self, residuals: NDArray[np.floating]) -> None:
        """Set the unit of the output to the standard deviation of the rating residuals."""
        self.spread.fill_(max(float(residuals.std()), 1e-3))

    def forward(self, pairs: Tensor, match: Tensor) -> Tensor:
        """Return (n,) scores of (n, m) texts read together, in batches of similar length."""
        device = device_of(self)
        order = torch.argsort(self.states.lengths(pairs).sum(dim=1), stable=True)
        read = torch.cat([self._read(pairs[part]) for part in torch.split(order, PAIRS_AT_ONCE)])
        return read[torch.argsort(order).to(device)] + self.match_weight * match.to(device)

    def _read(self, pairs: Tensor) -> Tensor:
        device = device_of(self)
        states, part, there = (found.to(device) for found in self.states.joined(pairs))
        joint = states.float() + self.role(part)
        _, layers = layers_of(self.body)
        dtype = best_precision("auto")
        # On CPUs the backward pass of the other kernels takes five times as long.
        plain = self.training and device.type == "cpu"
        with (
            torch.autocast(device.type, dtype, enabled=dtype != torch.float32),
            sdpa_kernel(SDPBackend.MATH) if plain else nullcontext(),
            replaced_input(layers[0], lambda _: joint),
        ):
            output = self.body(inputs_embeds=joint, attention_mask=there.long())
        weight = there[..., None].float()
        mean = (output.last_hidden_state.float() * weight).sum(dim=1)
        scores: Tensor = self.head(mean / weight.sum(dim=1).clamp(min=1))[:, 0]
        return scores


def last_layers(body: nn.Module, joint_layers: int, lora_rank: int) -> nn.Module:
    """Return the transformer with its last layers alone; only these are fine-tuned."""
    body.requires_grad_(False)
    name, layers = layers_of(body)
    last = layers[max(0, len(layers) - joint_layers) :]
    _share_positions(layers[0], last[0])
    parent, _, attribute = name.rpartition(".")
    setattr(body.get_submodule(parent), attribute, last)
    if lora_rank:
        return _with_lora(body, lora_rank)
    last.requires_grad_(True)
    return body


def _share_positions(lowest: nn.Module, first: nn.Module) -> None:
    """Give a T5 layer the relative position bias, which only the lowest layer holds."""
    for name, part in lowest.named_modules():
        if getattr(part, "has_relative_attention_bias", False):
            own: Any = first.get_submodule(name)
            own.has_relative_attention_bias = True
            own.relative_attention_bias = part.relative_attention_bias


def _with_lora(body: nn.Module, rank: int) -> nn.Module:
    """Add low-rank updates to all linear layers (Hu et al.: LoRA, ICLR 2022)."""
    if importlib.util.find_spec("peft") is None:
        raise UserError(
            "The parameter lora_rank of LanguageModelRanker needs the package peft, which is not"
            " installed. Run pip install longtail[lora], or set lora_rank to 0."
        )
    import peft  # noqa: PLC0415 optional

    config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear")
    with warnings.catch_warnings():
        # peft uses a deprecated attribute of transformers.
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        return peft.get_peft_model(body, config)
