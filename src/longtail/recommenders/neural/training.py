"""The training loop of all networks: seeded, resumable, with early stopping on held-out users."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Generic, Self, TypeAlias, TypeVar

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from longtail.arrays import Arrays, with_prefix, without_prefix
from longtail.errors import NotApplicableError, UserError
from longtail.progress import progress
from longtail.recommenders.base import Recommender, TrainingData
from longtail.recommenders.digest import fit_digest
from longtail.recommenders.validation import ValidationTargets, validation_ndcg

HELD_OUT_SHARE = 0.1
LOWEST_RATE = 0.1
VALIDATION_CURVE = "curve.validation_ndcg"

NetworkT = TypeVar("NetworkT", bound=nn.Module)
Loss: TypeAlias = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class Objective:
    """What a network minimises.

    Attributes:
        n_examples: training examples; batches are drawn from their indices.
        loss: returns the mean loss of a batch, given (n,) int64 example indices on the CPU and the
            generator of everything random in it.
        interactions: interactions per example, on average.
    """

    n_examples: int
    loss: Loss
    interactions: float = 1.0

    def examples_in_batch(self, batch_size: int) -> int:
        """Return how many examples have about ``batch_size`` interactions; at least 1."""
        return max(1, round(batch_size / self.interactions))


class NetworkRecommender(Recommender, Generic[NetworkT]):
    """A recommender whose weights are learned by gradient descent.

    AdamW (Loshchilov, Hutter: Decoupled Weight Decay Regularization, ICLR 2019) with a linear
    warm-up and a linear decay to a tenth of the rate. A tenth of the users have their last
    interaction held out; after each epoch its NDCG is measured, and the weights of the best epoch
    are kept. A refit holds nothing out: it trains for as many epochs as were best before, at the
    same learning rates.
    """

    epochs: int = Field(10, ge=1, description="Maximum number of epochs.")
    stop_after: int = Field(
        0,
        ge=0,
        description="Epochs of a training on all data, without early stopping; 0: early stopping"
        " decides.",
    )
    patience: int = Field(
        2, ge=1, description="Epochs without a better validation NDCG before training stops."
    )
    batch_size: int = Field(256, ge=1, description="Interactions in a batch.")
    epoch_batches: int = Field(
        400,
        ge=1,
        description="Maximum number of batches in an epoch; of more data, each epoch takes a random"
        " part.",
    )
    learning_rate: float = Field(0.001, gt=0, description="Peak learning rate of AdamW.")
    weight_decay: float = Field(0.01, ge=0, description="Weight decay of AdamW.")
    warm_up: float = Field(
        0.05, ge=0, le=1, description="Share of the steps in which the learning rate rises."
    )
    gradient_clip: float = Field(1.0, gt=0, description="Maximum norm of the gradient.")
    validation_users: int = Field(
        1000, ge=0, description="Maximum number of users with a held-out interaction."
    )
    validation_k: int = Field(
        20, ge=1, description="Length of the lists whose NDCG decides on early stopping."
    )

    @property
    def held_out_users(self) -> int:
        """Maximum number of users whose last interaction decides on early stopping."""
        return 0 if self.stop_after else self.validation_users

    @property
    def epochs_to_train(self) -> int:
        """Maximum number of epochs of this training."""
        return min(self.stop_after, self.epochs) if self.stop_after else self.epochs

    def for_refit(self, arrays: Arrays) -> Self:
        """Return the hyper-parameters that train on all data, for the best number of epochs."""
        return self.model_copy(update={"stop_after": best_epoch(arrays)})

    @abstractmethod
    def network(self, data: TrainingData) -> NetworkT:
        """Return the network with its initial weights; frozen ones have no gradient."""

    @abstractmethod
    def objective(self, network: NetworkT, data: TrainingData) -> Objective:
        """Return what the network minimises on the data."""

    def fit(self, data: TrainingData) -> Arrays:
        """Return ``weight.<name>`` of the best epoch and the training curves.

        ``curve.training_loss`` and ``curve.validation_ndcg`` hold one float64 for each epoch; the
        latter is NaN where no user has enough history to be held out, and left out of a refit.

        Raises:
            NotApplicableError: there is nothing to learn from.
            UserError: the loss diverged (NaN or infinite).
        """
        return train(self, data)

    def fitted_network(self, arrays: Arrays, data: TrainingData) -> NetworkT:
        """Return the network with the learned weights, in evaluation mode.

        Loaded once where the data keep networks, which a server's do.
        """
        weights = without_prefix("weight", arrays)
        if data.networks is None:
            return self._load_network(weights, data)
        key = (self, *(id(array) for array in weights.values()))
        if key not in data.networks:
            # With the arrays: as long as they exist, no other array has their ids.
            data.networks[key] = self._load_network(weights, data), weights
        loaded: NetworkT = data.networks[key][0]
        return loaded

    def _load_network(self, weights: Arrays, data: TrainingData) -> NetworkT:
        with seeded(data.seed):
            network = self.network(data)
        _load_weights(network, weights)
        return network.to(best_device()).eval()


@dataclass(frozen=True)
class HoldOut:
    """Training data without one interaction of some users, and these interactions as targets."""

    data: TrainingData
    targets: ValidationTargets


def hold_out_last(data: TrainingData, max_users: int) -> HoldOut:
    """Hold out one interaction of a tenth of the users with at least three.

    It is the last where the order is known, else a random one.

    Args:
        data: all training data.
        max_users: maximum number of users with a held-out interaction.
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


def train(recommender: NetworkRecommender[NetworkT], data: TrainingData) -> Arrays:
    """Train a recommender's network, from its last checkpoint if there is one.

    The state after each epoch is kept in ``data.checkpoints`` until the training is complete.
    Everything random in an epoch follows from the seed and the number of the epoch, so a resumed
    training ends with the same weights, bit for bit, as an uninterrupted one.
    """
    split = hold_out_last(data, recommender.held_out_users)
    with seeded(data.seed):
        network = recommender.network(split.data)
        objective = recommender.objective(network, split.data)
    if objective.n_examples == 0:
        raise NotApplicableError(
            f"{type(recommender).__name__} is left out: no user has enough history to learn from."
        )
    network.to(best_device())
    optimiser = _optimiser(recommender, network)
    key = fit_digest(recommender, data)
    state = data.checkpoints.get(key)
    best = _weights(network) if state is None else _restore(state, network, optimiser)
    losses = [] if state is None else state["curve.training_loss"].tolist()
    values = [] if state is None else state[VALIDATION_CURVE].tolist()
    schedule = _schedule(recommender, objective, optimiser, len(losses))
    label = f"Training {type(recommender).__name__}"
    n_epochs = recommender.epochs_to_train
    with progress(total=n_epochs, initial=len(losses), desc=label) as bar:
        while len(losses) < n_epochs and not _is_stale(values, recommender.patience):
            epoch = len(losses) + 1
            with seeded(data.seed, epoch) as generator:
                losses.append(
                    _train_epoch(recommender, network, objective, schedule, generator, epoch)
                )
            values.append(_validate(recommender, network, split))
            if _is_best(values):
                best = _weights(network)
            curves = _curves(losses, values)
            data.checkpoints[key] = _pack_state(network, optimiser, best) | curves
            bar.set_postfix(loss=f"{losses[-1]:.4f}", ndcg=f"{values[-1]:.4f}")
            bar.update()
    data.checkpoints.pop(key, None)
    learned = with_prefix("weight", best) | _curves(losses, values)
    if recommender.stop_after:
        del learned[VALIDATION_CURVE]
    return learned


@contextmanager
def seeded(*seeds: int) -> Iterator[torch.Generator]:
    """Yield a seeded generator and seed the global state of torch, which is restored on exit."""
    seed = int(np.random.SeedSequence(seeds).generate_state(1, np.uint64)[0] >> np.uint64(1))
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield torch.Generator().manual_seed(seed)


def best_device() -> torch.device:
    """Return the GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_of(network: nn.Module) -> torch.device:
    """Return the device of a network's weights."""
    return next(network.parameters()).device


def score_in_blocks(
    users: NDArray[np.int64],
    n_items: int,
    block_size: int,
    score: Callable[[NDArray[np.int64]], Tensor],
) -> NDArray[np.float32]:
    """Return (len(users), n_items) scores, computed in blocks of ``block_size`` users.

    Args:
        users: (n,) user indices.
        n_items: size of the catalogue.
        block_size: users whose scores and intermediate tensors fit into memory.
        score: returns the (n, n_items) scores of a block of users.
    """
    result = np.empty((len(users), n_items), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(users), block_size):
            block = users[start : start + block_size]
            result[start : start + len(block)] = score(block).cpu().numpy()
    return result


def _optimiser(recommender: NetworkRecommender[NetworkT], network: NetworkT) -> torch.optim.AdamW:
    """Return AdamW on the weights that are learned."""
    learned = [weight for weight in network.parameters() if weight.requires_grad]
    rate = recommender.learning_rate
    # A schedule that continues a training reads the initial rate from here.
    groups = [{"params": learned, "initial_lr": rate}]
    return torch.optim.AdamW(groups, lr=rate, weight_decay=recommender.weight_decay)


def _batches_in_epoch(recommender: NetworkRecommender[NetworkT], objective: Objective) -> int:
    size = objective.examples_in_batch(recommender.batch_size)
    return min(-(-objective.n_examples // size), recommender.epoch_batches)


def _schedule(
    recommender: NetworkRecommender[NetworkT],
    objective: Objective,
    optimiser: torch.optim.Optimizer,
    epochs_done: int,
) -> LambdaLR:
    """Return the schedule of the learning rate: linear warm-up, then linear decay.

    By LambdaLR, since OneCycleLR cannot give exactly these rates.
    """
    in_epoch = _batches_in_epoch(recommender, objective)
    n_steps = recommender.epochs * in_epoch

    def share_of_peak(step: int) -> float:
        progress = (step + 1) / n_steps
        if progress < recommender.warm_up:
            return progress / recommender.warm_up
        left = (1 - progress) / max(1e-9, 1 - recommender.warm_up)
        return LOWEST_RATE + (1 - LOWEST_RATE) * left

    return LambdaLR(optimiser, share_of_peak, last_epoch=epochs_done * in_epoch - 1)


def _train_epoch(
    recommender: NetworkRecommender[NetworkT],
    network: NetworkT,
    objective: Objective,
    schedule: LambdaLR,
    generator: torch.Generator,
    epoch: int,
) -> float:
    """Train on the examples, or a random part of them; return the mean loss of the batches."""
    network.train()
    order = torch.randperm(objective.n_examples, generator=generator)
    size = objective.examples_in_batch(recommender.batch_size)
    batches = torch.split(order, size)[: recommender.epoch_batches]
    optimiser = schedule.optimizer
    learned = optimiser.param_groups[0]["params"]
    total = 0.0
    for batch in progress(batches, desc=f"Epoch {epoch}", mininterval=1):
        loss = objective.loss(batch, generator)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(learned, recommender.gradient_clip)
        optimiser.step()
        schedule.step()
        total += float(loss.detach())
    if not np.isfinite(total):
        raise UserError(
            f"The training of {type(recommender).__name__} diverged in epoch {epoch}: its loss is"
            f" NaN or infinite. Lower its learning_rate, which is {recommender.learning_rate}."
        )
    return total / len(batches)


def _validate(
    recommender: NetworkRecommender[NetworkT], network: NetworkT, split: HoldOut
) -> float:
    """Return the NDCG of the held-out interactions; NaN where there are none."""
    if len(split.targets.users) == 0:
        return float("nan")
    arrays = with_prefix("weight", _weights(network))
    return validation_ndcg(recommender, arrays, split.data, split.targets, recommender.validation_k)


def best_epoch(arrays: Arrays) -> int:
    """Return the number of the epoch whose weights a training kept; the last without validation."""
    values = arrays.get(VALIDATION_CURVE, np.empty(0))
    if len(values) == 0 or np.isnan(values).any():
        return len(arrays["curve.training_loss"])
    return int(np.argmax(values)) + 1


def _is_best(values: list[float]) -> bool:
    """Return whether the last epoch is the best so far; without validation every epoch is."""
    return not values[-1] <= max(values[:-1], default=-np.inf)


def _is_stale(values: list[float], patience: int) -> bool:
    """Return whether the last ``patience`` epochs brought no better value."""
    if not values or np.isnan(values).any():
        return False
    return len(values) - 1 - int(np.argmax(values)) >= patience


def _weights(network: nn.Module) -> Arrays:
    """Return copies of the learned weights and of the buffers, without frozen weights."""
    frozen = {name for name, weight in network.named_parameters() if not weight.requires_grad}
    return {
        name: weight.detach().cpu().numpy().copy()
        for name, weight in network.state_dict().items()
        if name not in frozen
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
    return (
        with_prefix("weight", _weights(network))
        | with_prefix("best", best)
        | with_prefix("moment", moments)
    )


def _restore(state: Arrays, network: nn.Module, optimiser: torch.optim.Optimizer) -> Arrays:
    """Load a packed state into network and optimiser; return the best weights so far."""
    _load_weights(network, without_prefix("weight", state))
    moments: dict[int, dict[str, Any]] = {}
    for name, value in without_prefix("moment", state).items():
        number, _, moment = name.partition(".")
        moments.setdefault(int(number), {})[moment] = torch.from_numpy(np.array(value))
    optimiser.load_state_dict(optimiser.state_dict() | {"state": moments})
    return without_prefix("best", state)


def _curves(losses: list[float], values: list[float]) -> Arrays:
    return {
        "curve.training_loss": np.array(losses, dtype=np.float64),
        VALIDATION_CURVE: np.array(values, dtype=np.float64),
    }
