"""Numbers of new items, predicted from their nearest items in text."""

import numpy as np
import pytest
from tests.recommenders.worlds import tiny_data

from longtail.serving.new_items import NearestInText, enlarged


def test_a_copy_takes_the_numbers_of_the_original() -> None:
    similarity = np.array([[0.2, 1.0, 0.5]], dtype=np.float32)
    values = np.array([[1.0, 9.0, 4.0]], dtype=np.float32)
    nearest = NearestInText.of(similarity)
    assert nearest.extend(values)[0] == pytest.approx([1, 9, 4, 9], abs=1e-3)
    evidence = np.array([[0.1, 0.9, 0.3, 0.9]], dtype=np.float32)
    assert nearest.extend(values, evidence)[0, 3] == pytest.approx(9, abs=1e-3)


def test_an_item_like_no_other_gets_the_mean() -> None:
    nearest = NearestInText.of(np.zeros((1, 3), dtype=np.float32))
    values = np.array([[1.0, 9.0, 5.0], [0.0, 0.0, 3.0]], dtype=np.float32)
    assert nearest.extend(values)[:, 3] == pytest.approx([5, 1])


def test_evidence_of_the_text_raises_what_is_expected() -> None:
    nearest = NearestInText.of(np.zeros((1, 3), dtype=np.float32))
    values = np.array([[0.0, 1.0, 2.0]], dtype=np.float32)
    evidence = np.array([[0.0, 0.5, 1.0, 1.0]], dtype=np.float32)
    assert nearest.extend(values, evidence)[0, 3] == pytest.approx(2)


def test_a_new_item_has_an_expected_count_and_nobody_has_it() -> None:
    histories = tiny_data().histories
    n_items = histories.n_items
    similarity = np.zeros((1, n_items), dtype=np.float32)
    similarity[0, 0] = 1
    ids = np.append(histories.item_ids, "new")
    larger = enlarged(histories, ids, NearestInText.of(similarity))
    counts = larger.item_counts()
    assert counts[:n_items].tolist() == histories.item_counts().tolist()
    assert counts[n_items] == counts[0]
    assert not larger.chosen_items()[n_items]
