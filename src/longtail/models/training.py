"""The one training loop of all networks: seeded, resumable, stopped early on held-out users."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from tqdm.auto import tqdm

from longtail.arrays import Arrays, content_digest
from longtail.errors import NotApplicableError, UserError
from longtail.models.base import Recommender, TrainingData
from longtail.models.tuning import ValidationTargets, code_digest, validation_ndcg

HELD_OUT_SHARE = 0.1
LIST_LENGTH = 20
LOWEST_RATE = 0.1


@dataclass(frozen=True)
class Objective:
    """What a network minimises.

    Attributes:
        n_examples: training examples; batches are drawn from their indices.
        loss: the mean loss of a batch, from int64 example indices on the processor and a generator
            for everything that is drawn.
        interactions: those in an example, on average.
    """

    n_examples: int
    loss: Callable[[Tensor, torch.Generator], Tensor]
    interactions: float = 1.0

    def examples_in_batch(self, batch_size: int) -> int:
        """Return how many examples have about ``batch_size`` interactions; at least 1."""
        return max(1, round(batch_size / self.interactions))


class NetworkRecommender(Recommender):
    """A recommender whose weights are learned by gradient descent.

    AdamW (Loshchilov, Hutter: Decoupled Weight Decay Regularization, ICLR 2019) with a linear
    warm-up and a linear decay to a tenth of the rate. After each epoch the NDCG@20 of the last
    interaction of a tenth of the users, held out of training, is measured; the weights of the best
    epoch are kept.
    """

    epochs: int = Field(10, ge=1, description="Passes over the examples at most.")
    patience: int = Field(2, ge=1, description="Epochs without a better NDCG before the end.")
    batch_size: int = Field(256, ge=1, description="Interactions in a batch.")
    epoch_batches: int = Field(
        400, ge=1, description="Batches in an epoch; of larger data it takes a random part."
    )
    learning_rate: float = Field(0.001, gt=0, description="Highest rate of AdamW.")
    weight_decay: float = Field(0.01, ge=0, description="Of AdamW.")
    warm_up: float = Field(0.05, ge=0, le=1, description="Share of the steps with a rising rate.")
    gradient_clip: float = Field(1.0, gt=0, description="Longest gradient of all weights.")
    validation_users: int = Field(1000, ge=0, description="Users held out at most.")

    @property
    def held_out_users(self) -> int:
        """Users whose last interaction decides when to stop, at most."""
        return self.validation_users

    @abstractmethod
    def network(self, data: TrainingData) -> nn.Module:
        """Return the network with its first weights; those that are fixed need no gradient."""

    @abstractmethod
    def objective(self, network: Any, data: TrainingData) -> Objective:
        """Return what the network, as ``network`` made it, minimises on the data."""

    def fit(self, data: TrainingData) -> Arrays:
        """Return ``weight.<name>`` of the best epoch and the curves of the training.

        ``curve.training_loss`` and ``curve.validation_ndcg`` have one float64 value an epoch, the
        latter NaN where no user has enough history to be held out.

        Raises:
            NotApplicableError: there is nothing to learn from.
            UserError: the loss is no number any more.
        """
        return train(self, data)

    def fitted_network(self, arrays: Arrays, data: TrainingData) -> Any:
        """Return the network with the learned weights, ready to score."""
        with seeded(data.seed):
            network = self.network(data)
        _load_weights(network, _part(arrays, "weight"))
        return network.to(best_device()).eval()


@dataclass(frozen=True)
class HoldOut:
    """Training data without the last interaction of some users, and these interactions."""

    data: TrainingData
    targets: ValidationTargets


def hold_out_last(data: TrainingData, max_users: int) -> HoldOut:
    """Hold out one interaction of a tenth of the users with at least three.

    It is the last where the order is known, else a random one.

    Args:
        data: what would be learned from.
        max_users: users held out at most.
    """
    histories = data.histories
    lengths = histories.history_lengths()
    eligible = np.flatnonzero(lengths >= 3)
    generator = np.random.default_rng([data.seed, 1])
    size = min(max_users, int(np.ceil(HELD_OUT_SHARE * len(eligible))))
    users = np.sort(generator.choice(eligible, size, replace=False))
    first = np.cumsum(lengths)[users] - lengths[users]
    steps = lengths[users] - 1
    if not histories.has_order:
        steps = generator.integers(0, lengths[users])
    held_out = first + steps
    kept = np.ones(len(histories.users), dtype=bool)
    kept[held_out] = False
    reduced = replace(
        histories,
        users=histories.users[kept],
        items=histories.items[kept],
        weights=histories.weights[kept],
        timestamps=histories.timestamps[kept],
    )
    ratings = data.ratings[kept] if len(data.ratings) else data.ratings
    shape = (size, histories.n_items)
    cells = (np.arange(size), histories.items[held_out])
    relevant = sp.csr_array((np.ones(size, np.float32), cells), shape=shape)
    return HoldOut(
        replace(data, histories=reduced, ratings=ratings), ValidationTargets(users, relevant)
    )


def train(recommender: NetworkRecommender, data: TrainingData) -> Arrays:
    """Train a recommender's network; continue where an interrupted training stopped.

    The state after each epoch is left in ``data.checkpoints`` until the training is complete.
    Everything random in an epoch follows from the seed and the epoch's number, so that a continued
    training ends with the same weights, bit for bit, as an undisturbed one.
    """
    part = hold_out_last(data, recommender.held_out_users)
    with seeded(data.seed):
        network = recommender.network(part.data)
        objective = recommender.objective(network, part.data)
    if objective.n_examples == 0:
        raise NotApplicableError(
            f"{type(recommender).__name__} is left out: no user has enough history to learn from."
        )
    network.to(best_device())
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(
        trained, lr=recommender.learning_rate, weight_decay=recommender.weight_decay
    )
    key = checkpoint_key(recommender, data)
    state = data.checkpoints.get(key)
    best = _weights(network) if state is None else _restore(state, network, optimiser)
    losses = [] if state is None else state["curve.training_loss"].tolist()
    values = [] if state is None else state["curve.validation_ndcg"].tolist()
    label = f"Training {type(recommender).__name__}"
    with tqdm(total=recommender.epochs, initial=len(losses), desc=label, leave=False) as bar:
        while len(losses) < recommender.epochs and not _is_stale(values, recommender.patience):
            with seeded(data.seed, len(losses) + 1) as generator:
                loss = _train_epoch(
                    recommender, network, objective, optimiser, generator, len(losses)
                )
            losses.append(loss)
            values.append(_validate(recommender, network, part))
            if _is_best(values):
                best = _weights(network)
            curves = _curves(losses, values)
            data.checkpoints[key] = _pack_state(network, optimiser, best) | curves
            bar.set_postfix(loss=f"{loss:.4f}", ndcg=f"{values[-1]:.4f}")
            bar.update()
    data.checkpoints.pop(key, None)
    return _prefix("weight", best) | _curves(losses, values)


def checkpoint_key(recommender: Recommender, data: TrainingData) -> str:
    """Return a hash of all that the weights depend on: data, seed, model, settings, code."""
    parts = (
        data.digest,
        type(recommender).__qualname__,
        recommender.model_dump_json(),
        code_digest(),
    )
    return content_digest({"parts": np.array(parts, dtype=object)})


@contextmanager
def seeded(*seeds: int) -> Iterator[torch.Generator]:
    """Seed torch, also its global state, and leave that state as it was."""
    seed = int(np.random.SeedSequence(seeds).generate_state(1, np.uint64)[0] >> np.uint64(1))
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield torch.Generator().manual_seed(seed)


def best_device() -> torch.device:
    """Return the graphics processor where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_of(network: nn.Module) -> torch.device:
    """Return where the weights of a network are."""
    return next(network.parameters()).device


def score_in_blocks(
    users: NDArray[np.int64],
    n_items: int,
    block_size: int,
    score: Callable[[NDArray[np.int64]], Tensor],
) -> NDArray[np.float32]:
    """Return (len(users), n_items) scores, computed for ``block_size`` users at once.

    Args:
        users: (n,) user indices.
        n_items: size of the catalogue.
        block_size: users whose scores, and what they are made of, fit into memory.
        score: gives the (n, n_items) scores of a block of users.
    """
    result = np.empty((len(users), n_items), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(users), block_size):
            block = users[start : start + block_size]
            result[start : start + len(block)] = score(block).cpu().numpy()
    return result


def _train_epoch(
    recommender: NetworkRecommender,
    network: nn.Module,
    objective: Objective,
    optimiser: torch.optim.Optimizer,
    generator: torch.Generator,
    epoch: int,
) -> float:
    """Take the examples, or as many as fit, in random order; return the mean loss of a batch."""
    network.train()
    order = torch.randperm(objective.n_examples, generator=generator)
    size = objective.examples_in_batch(recommender.batch_size)
    batches = order.split(size)[: recommender.epoch_batches]
    trained = optimiser.param_groups[0]["params"]
    total = 0.0
    label = f"Epoch {epoch + 1}"
    for number, batch in enumerate(tqdm(batches, desc=label, leave=False, mininterval=1)):
        progress = (epoch * len(batches) + number + 1) / (recommender.epochs * len(batches))
        optimiser.param_groups[0]["lr"] = recommender.learning_rate * _rate(
            progress, recommender.warm_up
        )
        loss = objective.loss(batch, generator)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, recommender.gradient_clip)
        optimiser.step()
        total += float(loss.detach())
    if not np.isfinite(total):
        raise UserError(
            f"The loss of {type(recommender).__name__} is no number any more in epoch {epoch + 1};"
            f" lower its learning_rate of {recommender.learning_rate}."
        )
    return total / len(batches)


def _rate(progress: float, warm_up: float) -> float:
    """Return the share of the highest rate after a share of all steps."""
    if progress < warm_up:
        return progress / warm_up
    left = (1 - progress) / max(1e-9, 1 - warm_up)
    return LOWEST_RATE + (1 - LOWEST_RATE) * left


def _validate(recommender: NetworkRecommender, network: nn.Module, part: HoldOut) -> float:
    if len(part.targets.users) == 0:
        return float("nan")
    arrays = _prefix("weight", _weights(network))
    return validation_ndcg(recommender, arrays, part.data, part.targets, LIST_LENGTH)


def _is_best(values: list[float]) -> bool:
    """Whether the last epoch is the best so far; without validation each is."""
    return not values[-1] <= max(values[:-1], default=-np.inf)


def _is_stale(values: list[float], patience: int) -> bool:
    """Whether the last epochs brought nothing better."""
    if not values or np.isnan(values).any():
        return False
    return len(values) - 1 - int(np.argmax(values)) >= patience


def _weights(network: nn.Module) -> Arrays:
    """Return copies of what is learned and of the buffers; fixed weights are left out."""
    fixed = {name for name, weight in network.named_parameters() if not weight.requires_grad}
    return {
        name: weight.detach().cpu().numpy().copy()
        for name, weight in network.state_dict().items()
        if name not in fixed
    }


def _load_weights(network: nn.Module, weights: Arrays) -> None:
    state = {name: torch.from_numpy(np.array(weight)) for name, weight in weights.items()}
    unexpected = network.load_state_dict(state, strict=False).unexpected_keys
    if unexpected:
        raise ValueError(f"The network has no weights named {unexpected}.")


def _pack_state(network: nn.Module, optimiser: torch.optim.Optimizer, best: Arrays) -> Arrays:
    """Return the state of a training as named arrays."""
    moments = {
        f"{number}.{name}": value.detach().cpu().numpy()
        for number, state in optimiser.state_dict()["state"].items()
        for name, value in state.items()
    }
    return _prefix("weight", _weights(network)) | _prefix("best", best) | _prefix("moment", moments)


def _restore(state: Arrays, network: nn.Module, optimiser: torch.optim.Optimizer) -> Arrays:
    """Put a packed state into network and optimiser; return the best weights so far."""
    _load_weights(network, _part(state, "weight"))
    moments: dict[int, dict[str, Any]] = {}
    for name, value in _part(state, "moment").items():
        number, _, moment = name.partition(".")
        moments.setdefault(int(number), {})[moment] = torch.from_numpy(np.array(value))
    optimiser.load_state_dict(optimiser.state_dict() | {"state": moments})
    return _part(state, "best")


def _curves(losses: list[float], values: list[float]) -> Arrays:
    return {
        "curve.training_loss": np.array(losses, dtype=np.float64),
        "curve.validation_ndcg": np.array(values, dtype=np.float64),
    }


def _prefix(prefix: str, arrays: Arrays) -> Arrays:
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def _part(arrays: Arrays, prefix: str) -> Arrays:
    start = f"{prefix}."
    return {
        name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)
    }
