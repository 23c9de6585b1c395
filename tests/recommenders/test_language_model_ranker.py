"""The ranker with tiny random transformers of the three families."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.recommenders.neural.test_networks import (
    NEW_ITEMS,
    assert_equal,
    quality,
    shuffled,
    stop_in,
)
from tests.recommenders.worlds import taste_world, with_items
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2Model,
    PreTrainedTokenizerFast,
    T5Config,
    T5Model,
    set_seed,
)

from longtail.datasets.checkpoints import CheckpointStore
from longtail.errors import NotApplicableError, UserError
from longtail.recommenders.base import TrainingData
from longtail.recommenders.language_model_ranker.model import LanguageModelRanker
from longtail.recommenders.language_model_ranker.pair_reader import PairReader
from longtail.recommenders.popularity import Popularity

WORDS = ["wooden", "train", "plush", "bear", *(f"n{number}" for number in range(46))]
SIZE = {"vocab_size": len(WORDS) + 4}
FAMILIES = {
    "bert": lambda: BertModel(
        BertConfig(
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            **SIZE,
        )
    ),
    "gpt": lambda: GPT2Model(GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=64, **SIZE)),
    "t5": lambda: T5Model(T5Config(d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, **SIZE)),
}
families = pytest.mark.parametrize("family", FAMILIES)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Folders of random models, by family; only the BERT tokenizer knows separators."""
    vocabulary = {
        word: number for number, word in enumerate(["<pad>", "<sep>", "<unk>", "=>", *WORDS])
    }
    folders = {}
    for family, build in FAMILIES.items():
        folder = tmp_path_factory.mktemp(family)
        set_seed(0)
        build().save_pretrained(folder)
        tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
        tokenizer.pre_tokenizer = Whitespace()
        special = {"sep_token": "<sep>", "pad_token": "<pad>"} if family == "bert" else {}
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<sep>", **special
        ).save_pretrained(folder)
        folders[family] = str(folder)
    return folders


@pytest.fixture(scope="module")
def world() -> TrainingData:
    """Even users like wooden trains, odd users plush bears; the vectors know only half of it."""
    data = shuffled(taste_world(60, 40, share=0.4, new_items=NEW_ITEMS))
    kinds = [("wooden train", "plush bear")[number % 2] for number in range(40 + NEW_ITEMS)]
    texts = np.array([f"{kind} n{number}" for number, kind in enumerate(kinds)], dtype=object)
    ratings = np.where(data.histories.items % 2 == 0, 5, 2).astype(np.float32)
    return replace(with_items(data, texts=texts), ratings=ratings)


def ranker(model: str, **settings: object) -> LanguageModelRanker:
    small = {"examples": 200, "epochs": 2, "learning_rate": 0.01, "candidates": 10}
    return LanguageModelRanker(model=model, **small | settings)


@families
@pytest.mark.parametrize("joint_layers", [1, 2])
def test_learns_who_likes_what(
    family: str, joint_layers: int, models: dict[str, str], world: TrainingData
) -> None:
    assert quality(ranker(models[family], joint_layers=joint_layers), world) > 0.9
    assert quality(Popularity(), world) < 0.6


@families
def test_ratings_are_predicted_better_than_by_their_mean(
    family: str, models: dict[str, str], world: TrainingData
) -> None:
    model = ranker(models[family], task="rating", epochs=6)
    arrays = model.fit(world)
    histories = world.histories
    users, items = (part[::5].astype(np.int64) for part in (histories.users, histories.items))
    error = model.predict_ratings(arrays, world, users, items) - world.ratings[::5]
    assert np.sqrt((error**2).mean()) < 0.6 * world.ratings.std()


def test_only_the_first_content_matches_are_read_and_come_first(
    models: dict[str, str], world: TrainingData
) -> None:
    model = ranker(models["bert"], candidates=4)
    scores = model.score(model.fit(world), world, np.arange(60))
    assert scores.dtype == np.float32
    assert ((scores > 2).sum(axis=1) == 4).all()
    assert ((scores <= 1) | (scores > 2)).all()
    owned = world.histories.matrix().toarray() > 0
    assert not (owned & (scores > 2)).any()


@families
def test_items_without_a_text_get_finite_scores(
    family: str, models: dict[str, str], world: TrainingData
) -> None:
    texts = world.items.texts.copy()
    texts[8:] = ""
    model = ranker(models[family], candidates=40, epochs=1)
    data = with_items(world, texts=texts)
    assert np.isfinite(model.score(model.fit(data), data, np.arange(60))).all()


def test_new_items_are_read_like_others(models: dict[str, str], world: TrainingData) -> None:
    model = ranker(models["bert"], candidates=40)
    scores = model.score(model.fit(world), world, np.arange(60))
    assert (scores[:, -NEW_ITEMS:] > 2).any(axis=1).all()


def test_users_of_other_data_are_read_by_their_own_histories(
    models: dict[str, str], world: TrainingData
) -> None:
    model = ranker(models["bert"])
    few = shuffled(taste_world(8, 40, share=0.4, new_items=NEW_ITEMS, seed=9)).histories
    others = replace(world, histories=few, ratings=np.empty(0, np.float32))
    scores = model.score(model.fold_in(model.fit(world), others), others, np.arange(8))
    best = scores.argmax(axis=1)
    np.testing.assert_array_equal(best % 2, np.arange(8) % 2)


def test_a_server_loads_the_network_once(
    models: dict[str, str], world: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, loaded = ranker(models["bert"], epochs=1, examples=20), []
    arrays = model.fit(world)
    network = LanguageModelRanker.network

    def counted(self: LanguageModelRanker, data: TrainingData) -> PairReader:
        loaded.append(self)
        return network(self, data)

    monkeypatch.setattr(LanguageModelRanker, "network", counted)
    served, users = replace(world, networks={}), np.arange(3)
    first, second = (model.score(dict(arrays), served, users) for _ in range(2))
    assert len(loaded) == 1
    assert np.array_equal(first, second)
    assert np.array_equal(first, model.score(arrays, world, users))
    # Other weights are another network.
    model.score({name: array.copy() for name, array in arrays.items()}, served, users)
    assert len(loaded) == 3


def test_same_seed_same_arrays_and_only_what_learned_is_stored(
    models: dict[str, str], world: TrainingData
) -> None:
    model = ranker(models["bert"], joint_layers=1)
    arrays = model.fit(world)
    assert_equal(arrays, model.fit(world))
    layers = {name.split(".layer.")[1][0] for name in arrays if ".layer." in name}
    assert layers == {"0"}


def test_a_killed_training_continues(
    models: dict[str, str],
    world: TrainingData,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = ranker(models["bert"])
    undisturbed = model.fit(world)
    data = replace(world, checkpoints=CheckpointStore(tmp_path))
    with monkeypatch.context() as patch:
        stop_in(patch, step=20)
        with pytest.raises(KeyboardInterrupt):
            model.fit(data)
    assert len(data.checkpoints) == 1
    assert_equal(model.fit(data), undisturbed)


def test_missing_texts_and_ratings_are_named(models: dict[str, str], world: TrainingData) -> None:
    with pytest.raises(NotApplicableError, match="no texts"):
        ranker(models["bert"]).fit(with_items(world, texts=np.full(46, "", dtype=object)))
    with pytest.raises(NotApplicableError, match="no ratings"):
        ranker(models["bert"], task="rating").fit(replace(world, ratings=np.empty(0, "f4")))


def test_a_missing_model_is_named(world: TrainingData, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be loaded"):
        ranker(str(tmp_path)).fit(world)


def test_lora_learns_or_the_missing_package_is_named(
    models: dict[str, str], world: TrainingData
) -> None:
    model = ranker(models["bert"], lora_rank=2)
    if importlib.util.find_spec("peft") is None:
        with pytest.raises(UserError, match="needs the package peft"):
            model.fit(world)
    else:
        assert any("lora" in name for name in model.fit(world))
