from dataclasses import replace

import numpy as np
import pandas as pd
from tests.models.worlds import tiny_data

from longtail.arrays import content_digest


def test_equal_data_have_the_same_digest() -> None:
    assert tiny_data().digest == tiny_data().digest


def test_the_digest_depends_on_all_that_is_learned_from() -> None:
    data = tiny_data()
    histories = data.histories
    changed = [
        replace(data, seed=7),
        replace(data, item_vectors=data.item_vectors[:, ::-1]),
        replace(data, tfidf_neighbours=data.text_neighbours),
        replace(data, text_neighbours=data.text_neighbours * 2),
        replace(data, item_texts=np.array(list("wxyz"), dtype=object)),
        replace(data, item_attributes=pd.DataFrame({"brand": list("wxyz")})),
        replace(data, ratings=np.ones(5, np.float32)),
        replace(data, histories=replace(histories, weights=histories.weights * 2)),
        replace(data, histories=replace(histories, items=histories.items[::-1])),
        replace(data, histories=replace(histories, user_ids=histories.user_ids[:2])),
    ]
    digests = [data.digest, *(other.digest for other in changed)]
    assert len(set(digests)) == len(digests)


def test_where_checkpoints_are_kept_is_no_part_of_the_data() -> None:
    data = tiny_data()
    assert replace(data, checkpoints={"a": {}}).digest == data.digest


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
