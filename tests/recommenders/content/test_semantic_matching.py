from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.recommenders.neural.test_networks import NEW_ITEMS, quality, shuffled
from tests.recommenders.worlds import taste_world, tiny_data, with_items

from longtail.errors import NotApplicableError
from longtail.recommenders.base import TrainingData
from longtail.recommenders.content.semantic_matching import SemanticMatching, user_texts
from longtail.recommenders.content.text_profile import TextProfile
from longtail.recommenders.popularity import Popularity
from longtail.text.encoder import TextEncoder
from longtail.text.encoder_parameters import EncoderParameters

KINDS = np.arange(40 + NEW_ITEMS) % 2
TEXTS = np.array(
    [f"{('wooden train', 'plush bear')[kind]} {number % 7}" for number, kind in enumerate(KINDS)],
    dtype=object,
)


@pytest.fixture(scope="module")
def world(tiny_encoder: Path) -> TrainingData:
    """Even users like trains, odd ones bears; vectors, texts and brands show the kind."""
    data = shuffled(taste_world(60, 40, share=0.4, new_items=NEW_ITEMS))
    encoder = TextEncoder(EncoderParameters(model=str(tiny_encoder)))
    return with_items(
        data,
        texts=TEXTS,
        embeddings=encoder.encode(TEXTS.tolist()),
        attributes=pd.DataFrame({"categories": "", "brand": KINDS.astype(str), "price": np.nan}),
        encoder=EncoderParameters(model=str(tiny_encoder)),
    )


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_vectors_and_attributes_find_the_taste(world: TrainingData, similarity: str) -> None:
    blind = with_items(world, vectors=np.zeros_like(world.items.vectors))
    silent = {"text_weight": 0, "attribute_weight": 0, "similarity": similarity}
    assert quality(SemanticMatching(**silent), world) > 0.9
    assert quality(SemanticMatching(**silent | {"attribute_weight": 1}), blind) > 0.9
    assert quality(SemanticMatching(**silent), blind) < 0.6
    assert quality(Popularity(), world) < 0.6


def test_the_user_as_text_is_close_to_what_the_user_likes(world: TrainingData) -> None:
    arrays = SemanticMatching(text_weight=1, attribute_weight=0).fit(world)
    cosines = arrays["user_text_vectors"] @ world.items.vectors.T
    liked = np.arange(60)[:, None] % 2 == KINDS[None]
    assert cosines[liked].min() > cosines[~liked].max()


def test_users_are_encoded_with_the_settings_of_the_items(
    world: TrainingData, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = EncoderParameters(model=str(tiny_encoder), pooling="last-token", dimensions=8)
    embeddings = TextEncoder(settings).encode(TEXTS.tolist())
    used = []
    encode = TextEncoder.encode

    def noted(encoder: TextEncoder, texts: list[str]) -> np.ndarray:
        used.append(encoder.parameters)
        return encode(encoder, texts)

    monkeypatch.setattr(TextEncoder, "encode", noted)
    short = with_items(world, embeddings=embeddings, encoder=settings)
    SemanticMatching(text_weight=1, attribute_weight=0).fit(short)
    assert used
    assert all(parameters == settings for parameters in used)


def test_vectors_alone_are_the_text_profile(world: TrainingData) -> None:
    model = SemanticMatching(text_weight=0, attribute_weight=0, recency_decay=0.85)
    profile = TextProfile(recency_decay=0.85)
    users = np.arange(60)
    np.testing.assert_allclose(
        model.score(model.fit(world), world, users),
        profile.score(profile.fit(world), world, users),
        atol=1e-6,
    )


def test_the_cosine_forgives_a_missing_part_and_the_dot_product_does_not() -> None:
    """c and d read alike; the brand of c is that of the user's items, d has none."""
    data = tiny_data()
    vectors = np.array([[1, 0], [1, 0], [1, 0], [1, 0]], dtype=np.float32)
    brands = pd.DataFrame({"categories": "", "brand": ["x", "x", "x", ""], "price": np.nan})
    data = with_items(data, vectors=vectors, attributes=brands)
    fitted = {
        kind: SemanticMatching(text_weight=0, attribute_weight=1, similarity=kind)
        for kind in ("cosine", "dot")
    }
    scores = {
        kind: model.score(model.fit(data), data, np.array([0]))[0] for kind, model in fitted.items()
    }
    np.testing.assert_allclose(scores["cosine"], [1, 1, 1, 0.5**0.5], atol=1e-6)
    np.testing.assert_allclose(scores["dot"], [2, 2, 2, 1], atol=1e-6)


def test_the_text_of_a_user_is_the_latest_items_newest_first() -> None:
    data = with_items(
        tiny_data(), texts=np.array(["blue train", "", "big bear toy", "x"], dtype=object)
    )
    assert user_texts(data, items=3, words=2).tolist() == ["blue train", "big bear; blue train", ""]
    assert user_texts(data, items=1, words=3).tolist() == ["blue train", "big bear toy", ""]


def test_texts_are_encoded_once(world: TrainingData) -> None:
    kept: dict[str, dict[str, np.ndarray]] = {}
    model = SemanticMatching(text_weight=0.5)
    model.fit(replace(world, checkpoints=kept))
    (key,) = kept
    kept[key] = {"embeddings": np.zeros_like(kept[key]["embeddings"])}
    other = SemanticMatching(text_weight=0.5, similarity="dot")
    arrays = other.fit(replace(world, checkpoints=kept))
    assert list(kept) == [key]
    assert len(np.unique(arrays["user_text_vectors"], axis=0)) == 1


def test_other_users_are_folded_in(world: TrainingData) -> None:
    model = SemanticMatching(text_weight=0.5)
    few = shuffled(taste_world(8, 40, share=0.4, new_items=NEW_ITEMS, seed=9)).histories
    others = replace(world, histories=few)
    arrays = model.fold_in(model.fit(world), others)
    scores = model.score(arrays, others, np.arange(8))
    liked = np.arange(8)[:, None] % 2 == KINDS[None]
    assert (
        scores[liked].reshape(8, -1).min(axis=1) > scores[~liked].reshape(8, -1).max(axis=1)
    ).all()


def test_a_user_text_without_texts_is_not_applicable() -> None:
    with pytest.raises(NotApplicableError, match="needs item texts"):
        SemanticMatching(text_weight=0.5).fit(tiny_data())
