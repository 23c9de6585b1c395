"""Properties of all networks: learning, reproducibility, resuming and new items."""

from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from tests.recommenders.worlds import histories_of, taste_world, with_items

from longtail.arrays import Arrays
from longtail.datasets.checkpoints import CheckpointStore
from longtail.errors import NotApplicableError, UserError
from longtail.pipelines.recommenders.nodes import refit_recommender
from longtail.recommenders.base import Recommender, TrainingData
from longtail.recommenders.fitted_model import FittedModel
from longtail.recommenders.neural.cluster_attention import ClusterAttention
from longtail.recommenders.neural.interest_network import InterestNetwork, augmentation_variants
from longtail.recommenders.neural.sequence_transformer import SequenceTransformer
from longtail.recommenders.neural.training import NetworkRecommender, hold_out_last
from longtail.recommenders.popularity import Popularity
from longtail.recommenders.random_ranking import RandomRanking
from longtail.recommenders.validation import validation_ndcg
from longtail.top_k import rank_unseen
from longtail.tuning.search import TuningParameters

NEW_ITEMS = 6
SMALL = {"dimensions": 4, "batch_size": 32, "learning_rate": 0.01, "epochs": 5, "patience": 5}
MODELS: dict[str, NetworkRecommender] = {
    "full softmax": SequenceTransformer(**SMALL, layers=1),
    "sampled softmax": SequenceTransformer(**SMALL, layers=1, sampled_items=20),
    "interest": InterestNetwork(**SMALL | {"epochs": 10}, hidden=8),
    "attention": ClusterAttention(**SMALL, clusters=3, random_negatives=10),
}
networks = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


@pytest.fixture(scope="module")
def world() -> TrainingData:
    """Users like every second item, in random order; six items have no interactions."""
    return shuffled(taste_world(60, 40, share=0.4, new_items=NEW_ITEMS))


def shuffled(data: TrainingData) -> TrainingData:
    """Give the interactions a random order in time."""
    histories = data.histories
    pairs = np.stack([histories.users, histories.items], axis=1)
    order = np.random.default_rng(5).permutation(len(pairs))
    return replace(data, histories=histories_of(pairs[order], histories.n_users, histories.n_items))


def quality(model: Recommender, data: TrainingData) -> float:
    """Return the share of new items of the right kind among the first five; by chance a half."""
    scores = model.score(model.fit(data), data, np.arange(data.histories.n_users))
    items, _ = rank_unseen(scores[:, :40], data.histories.matrix()[:, :40], 5)
    return float((items % 2 == np.arange(len(items))[:, None] % 2).mean())


@networks
def test_learns_more_than_popularity_and_chance(
    model: NetworkRecommender, world: TrainingData
) -> None:
    assert quality(model, world) > 0.9
    assert quality(Popularity(), world) < 0.6
    assert quality(RandomRanking(), world) < 0.6


@networks
def test_new_items_are_scored_by_their_text(model: NetworkRecommender, world: TrainingData) -> None:
    scores = model.score(model.fit(world), world, np.arange(60))[:, -NEW_ITEMS:]
    liked = np.arange(60)[:, None] % 2 == np.arange(40, 40 + NEW_ITEMS)[None] % 2
    right = scores[liked].reshape(60, -1).mean(axis=1) > scores[~liked].reshape(60, -1).mean(axis=1)
    assert right.mean() > 0.9


@networks
def test_same_seed_same_arrays_and_torch_is_left_alone(
    model: NetworkRecommender, world: TrainingData
) -> None:
    state = torch.get_rng_state()
    first, second = model.fit(world), model.fit(world)
    other = model.fit(replace(world, seed=7))
    assert torch.equal(state, torch.get_rng_state())
    assert_equal(first, second)
    assert not np.array_equal(first["curve.training_loss"], other["curve.training_loss"])


@networks
def test_scores_do_not_depend_on_the_block(model: NetworkRecommender, world: TrainingData) -> None:
    arrays = model.fit(world)
    together = model.score(arrays, world, np.arange(60))
    assert together.dtype == np.float32
    assert together.shape == (60, 40 + NEW_ITEMS)
    alone = model.score(arrays, world, np.array([17]))
    np.testing.assert_allclose(alone[0], together[17], rtol=1e-4, atol=1e-4)


@networks
def test_users_of_other_data_are_scored_by_their_own_histories(
    model: NetworkRecommender, world: TrainingData
) -> None:
    arrays = model.fit(world)
    before = world.histories
    few = before.users < 4
    rows = {
        name: getattr(before, name)[few] for name in ("users", "items", "weights", "timestamps")
    }
    others = replace(world, histories=replace(before, user_ids=before.user_ids[:4], **rows))
    np.testing.assert_allclose(
        model.score(model.fold_in(arrays, others), others, np.arange(4)),
        model.score(arrays, world, np.arange(4)),
        rtol=1e-4,
        atol=1e-4,
    )


@networks
def test_a_user_without_a_history_gets_finite_scores(model: NetworkRecommender) -> None:
    pairs = np.argwhere(np.ones((12, 8), dtype=bool))
    data = replace(taste_world(13, 8, share=1), histories=histories_of(pairs, 13, 8))
    scores = model.score(model.fit(data), data, np.array([12]))
    assert np.isfinite(scores).all()


@networks
def test_an_interrupted_training_ends_with_the_same_weights(
    model: NetworkRecommender,
    world: TrainingData,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    undisturbed = model.fit(world)
    steps = epoch_steps(model, world)
    with monkeypatch.context() as patch:
        stop_in(patch, step=2 * steps + max(1, steps // 2))
        with pytest.raises(KeyboardInterrupt):
            model.fit(replace(world, checkpoints=CheckpointStore(tmp_path)))
    assert len(CheckpointStore(tmp_path)) == 1
    other_setting = model.model_copy(update={"learning_rate": 0.02})
    store = CountingStore(tmp_path)
    resumed = model.fit(replace(world, checkpoints=store))
    assert store.written == len(undisturbed["curve.training_loss"]) - 2
    assert_equal(resumed, undisturbed)
    assert len(store) == 0
    assert not np.array_equal(
        other_setting.fit(world)["curve.training_loss"], resumed["curve.training_loss"]
    )


class CountingStore(CheckpointStore):
    """Counts the states that are written."""

    written = 0

    def __setitem__(self, key: str, arrays: Arrays) -> None:
        self.written += 1
        super().__setitem__(key, arrays)


def epoch_steps(model: NetworkRecommender, data: TrainingData) -> int:
    part = hold_out_last(data, model.validation_users).data
    objective = model.objective(model.network(part), part)
    return -(-objective.n_examples // objective.examples_in_batch(model.batch_size))


def stop_in(patch: pytest.MonkeyPatch, step: int) -> None:
    """Interrupt the given step of the optimiser."""
    taken = 0
    undisturbed = torch.optim.AdamW.step

    def counted(self: torch.optim.AdamW) -> None:
        nonlocal taken
        taken += 1
        if taken == step:
            raise KeyboardInterrupt
        undisturbed(self)

    patch.setattr(torch.optim.AdamW, "step", counted)


def assert_equal(first: Arrays, second: Arrays) -> None:
    assert set(first) == set(second)
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


def test_the_state_of_another_setting_is_not_resumed(world: TrainingData) -> None:
    class Kept(dict[str, Arrays], MutableMapping[str, Arrays]):
        """Forgets nothing."""

        def pop(self, key: str, *_: Arrays) -> Arrays:  # type: ignore[override]
            return self[key]

    checkpoints = Kept()
    model = MODELS["interest"]
    data = replace(world, checkpoints=checkpoints)
    model.fit(data)
    model.model_copy(update={"hidden": 6}).fit(data)
    model.fit(replace(data, seed=7))
    assert len(checkpoints) == 3


def test_the_last_items_of_a_tenth_of_the_users_are_held_out(world: TrainingData) -> None:
    part = hold_out_last(world, 1000)
    before, after = world.histories, part.data.histories
    lengths = before.history_lengths()
    assert len(part.targets.users) == 6
    assert len(before.users) - len(after.users) == 6
    last = before.items[np.cumsum(lengths) - 1]
    np.testing.assert_array_equal(part.targets.relevant.indices, last[part.targets.users])
    assert len(hold_out_last(world, 2).targets.users) == 2


def test_without_an_order_a_random_item_is_held_out_and_no_sequence_learned() -> None:
    data = shuffled(taste_world(200, 40, share=0.4))
    histories = replace(data.histories, timestamps=np.full(len(data.histories.users), np.nan))
    data = replace(data, histories=histories)
    part = hold_out_last(data, 1000)
    last = histories.items[np.cumsum(histories.history_lengths()) - 1][part.targets.users]
    assert 0 < (part.targets.relevant.indices == last).mean() < 0.5
    with pytest.raises(NotApplicableError, match="order of the interactions is unknown"):
        MODELS["full softmax"].fit(data)
    assert quality(MODELS["attention"], data) > 0.9


def test_training_stops_early_and_keeps_the_best_epoch(world: TrainingData) -> None:
    model = InterestNetwork(**SMALL | {"epochs": 30, "patience": 2}, hidden=8)
    arrays = model.fit(world)
    values = arrays["curve.validation_ndcg"]
    assert len(values) < 30
    assert len(values) - 1 - values.argmax() == 2
    part = hold_out_last(world, 1000)
    assert validation_ndcg(model, arrays, part.data, part.targets, 20) == values.max()


@networks
def test_a_refit_holds_nothing_out_and_stops_at_the_best_epoch(
    model: NetworkRecommender, world: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned = model.fit(world)
    best = int(tuned["curve.validation_ndcg"].argmax()) + 1
    learned_from = []
    objective = type(model).objective

    def spied(self: NetworkRecommender, network: torch.nn.Module, data: TrainingData) -> object:
        learned_from.append(len(data.histories.users))
        return objective(self, network, data)

    monkeypatch.setattr(type(model), "objective", spied)
    fitted = refit_recommender(
        FittedModel(model, tuned), TuningParameters(), world.histories, {}, world.items
    )
    assert learned_from == [len(world.histories.users)]
    assert len(fitted.arrays["curve.training_loss"]) == best
    assert "curve.validation_ndcg" not in fitted.arrays
    assert FittedModel.from_arrays(fitted.to_arrays()).recommender == fitted.recommender
    # What is refitted can be refitted again.
    assert fitted.recommender.for_refit(fitted.arrays) == fitted.recommender


def test_a_training_for_a_number_of_epochs_is_the_same_training_cut_short(
    world: TrainingData,
) -> None:
    model = MODELS["interest"].model_copy(update={"validation_users": 0})
    cut = model.model_copy(update={"stop_after": 3}).fit(world)["curve.training_loss"]
    np.testing.assert_array_equal(cut, model.fit(world)["curve.training_loss"][:3])


def test_the_loss_falls(world: TrainingData) -> None:
    for model in MODELS.values():
        losses = model.fit(world)["curve.training_loss"]
        assert losses[-1] < losses[0]


def test_data_without_any_history_are_not_applicable() -> None:
    pairs = np.array([[user, user % 4] for user in range(10)])
    data = replace(taste_world(10, 4, share=1), histories=histories_of(pairs, 10, 4))
    with pytest.raises(NotApplicableError, match="enough history"):
        MODELS["interest"].fit(data)


def test_a_diverged_loss_is_an_error(world: TrainingData) -> None:
    vectors = np.full_like(world.items.vectors, np.nan)
    with pytest.raises(UserError, match="diverged in epoch 1: its loss is NaN or infinite"):
        MODELS["interest"].fit(with_items(world, vectors=vectors))


def test_attributes_take_part_in_the_attention(world: TrainingData) -> None:
    kinds = np.array(["even", "odd"], dtype=object)[np.arange(40 + NEW_ITEMS) % 2]
    attributes = pd.DataFrame({"categories": kinds, "brand": "", "price": np.nan})
    no_text = np.zeros_like(world.items.vectors)
    blind = with_items(world, vectors=no_text)
    seeing = with_items(blind, attributes=attributes)
    assert quality(MODELS["attention"], seeing) > 0.9
    assert quality(MODELS["attention"], blind) < 0.9


def test_the_augmentations_are_left_out_one_by_one(world: TrainingData) -> None:
    model = MODELS["interest"].model_copy(update={"quiet_length": 20})
    variants = augmentation_variants(model)
    curves = {name: one.fit(world)["curve.training_loss"] for name, one in variants.items()}
    assert list(curves) == ["neither", "history_dropout", "pseudo_interactions", "both"]
    assert len({tuple(curve) for curve in curves.values()}) == 4
    np.testing.assert_array_equal(curves["both"], model.fit(world)["curve.training_loss"])


def test_an_epoch_of_large_data_is_cut(world: TrainingData) -> None:
    model = MODELS["interest"].model_copy(update={"epoch_batches": 2, "epochs": 1})
    taken = []
    undisturbed = torch.optim.AdamW.step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", lambda self: taken.append(undisturbed(self)))
        model.fit(world)
    assert len(taken) == 2 < epoch_steps(model, world)


def test_heads_must_divide_the_dimensions() -> None:
    with pytest.raises(ValidationError, match="must divide dimensions"):
        SequenceTransformer(dimensions=10, heads=4)
