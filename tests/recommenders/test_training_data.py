from dataclasses import fields, replace

import numpy as np
import pandas as pd
from tests.recommenders.worlds import tiny_data, with_items

from longtail.arrays import content_digest
from longtail.recommenders.item_features import ItemFeatures

ALL = tuple(field.name for field in fields(ItemFeatures))


def test_a_digest_depends_only_on_the_named_features() -> None:
    data = tiny_data()
    other = with_items(data, tfidf_neighbours=data.items.text_neighbours)
    assert other.digest(["vectors", "texts"]) == data.digest(["texts", "vectors"])
    assert other.digest(["tfidf_neighbours"]) != data.digest(["tfidf_neighbours"])


def test_equal_data_have_the_same_digest() -> None:
    assert tiny_data().digest(ALL) == tiny_data().digest(ALL)


def test_the_digest_depends_on_all_training_data() -> None:
    data = tiny_data()
    histories = data.histories
    changed = [
        replace(data, seed=7),
        with_items(data, vectors=data.items.vectors[:, ::-1]),
        with_items(data, tfidf_neighbours=data.items.text_neighbours),
        with_items(data, text_neighbours=data.items.text_neighbours * 2),
        with_items(data, texts=np.array(list("wxyz"), dtype=object)),
        with_items(
            data, attributes=pd.DataFrame({"categories": "", "brand": list("wxyz"), "price": 1.0})
        ),
        replace(data, ratings=np.ones(5, np.float32)),
        replace(data, histories=replace(histories, weights=histories.weights * 2)),
        replace(data, histories=replace(histories, items=histories.items[::-1])),
        replace(data, histories=replace(histories, user_ids=histories.user_ids[:2])),
    ]
    digests = [data.digest(ALL), *(other.digest(ALL) for other in changed)]
    assert len(set(digests)) == len(digests)


def test_the_checkpoint_store_does_not_change_the_digest() -> None:
    data = tiny_data()
    assert replace(data, checkpoints={"a": {}}).digest(ALL) == data.digest(ALL)


def test_a_digest_sees_names_types_shapes_and_values() -> None:
    one = np.arange(6)
    digests = {
        content_digest({"a": one}),
        content_digest({"b": one}),
        content_digest({"a": one.astype(np.int32)}),
        content_digest({"a": one.reshape(2, 3)}),
        content_digest({"a": one[::-1]}),
        content_digest({}),
    }
    assert len(digests) == 6
    assert content_digest({"a": one, "b": one}) == content_digest({"b": one, "a": one})
