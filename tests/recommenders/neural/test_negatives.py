from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from tests.recommenders.worlds import taste_world, with_items

from longtail.recommenders.base import Recommender, TrainingData
from longtail.recommenders.content.text_metric import TextMetric
from longtail.recommenders.language_model_ranker.model import LanguageModelRanker
from longtail.recommenders.neural.cluster_attention import ClusterAttention
from longtail.recommenders.neural.interest_network import InterestNetwork
from longtail.recommenders.neural.negatives import Owned, TextNeighbours, draw_earlier
from longtail.recommenders.neural.sequence_transformer import SequenceTransformer
from longtail.recommenders.neural.sequences import Sequences

NEW_ITEMS = 6
functional = torch.nn.functional


def test_the_strongest_neighbours_are_drawn_uniformly() -> None:
    graph = sp.csr_array(np.array([[0, 0.9, 0.5, 0.1], [0, 0, 0, 0], [0, 0, 0, 0.2], [0, 0, 0, 0]]))
    neighbours = TextNeighbours.of(graph, 2)
    items = torch.zeros((50, 40), dtype=torch.int64)
    drawn, there = neighbours.draw(items, torch.Generator().manual_seed(0))
    assert there.all()
    counts = np.bincount(drawn.numpy().ravel(), minlength=4)
    assert counts[[0, 3]].sum() == 0
    assert 900 < counts[1] < 1100
    drawn, there = neighbours.draw(torch.tensor([1, 2, 3]), torch.Generator().manual_seed(0))
    assert drawn.tolist() == [1, 3, 3]
    assert there.tolist() == [False, True, False]


def test_items_without_neighbours_are_returned_themselves() -> None:
    neighbours = TextNeighbours.of(sp.csr_array((3, 3)), 2)
    drawn, there = neighbours.draw(torch.tensor([2, 0]), torch.Generator())
    assert drawn.tolist() == [2, 0]
    assert not there.any()


def test_earlier_rows_are_those_of_the_same_user() -> None:
    ends, position = torch.tensor([1, 9]), torch.tensor([1, 4])
    rows = draw_earlier(ends, position, 200, torch.Generator().manual_seed(0))
    assert set(rows[0].tolist()) == {0}
    assert set(rows[1].tolist()) == {5, 6, 7, 8}


def test_the_rate_of_a_neighbour_is_the_share_of_its_draws() -> None:
    graph = sp.csr_array(np.array([[0, 0.9, 0.5, 0], [0, 0, 0, 0], [0, 0.3, 0, 0], [0, 0, 0.1, 0]]))
    neighbours = TextNeighbours.of(graph, 2)
    share = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
    items = torch.multinomial(share, 40_000, True, generator=torch.Generator().manual_seed(0))
    drawn, there = neighbours.draw(items[:, None].repeat(1, 2), torch.Generator().manual_seed(1))
    found = [((drawn == item) & there).any(dim=1).float().mean() for item in range(4)]
    np.testing.assert_allclose(neighbours.rate(share, 2), found, atol=0.01)


def test_items_of_users() -> None:
    data = taste_world(4, 6, share=0.5)
    owned, matrix = Owned.of(data.histories), data.histories.matrix().toarray() > 0
    users, items = torch.tensor([2, 0]), torch.tensor([[0, 5, 2], [1, 0, 0]])
    expected = matrix[users.numpy()[:, None], items.numpy()]
    np.testing.assert_array_equal(owned.among(users, items), expected)
    shared, targets = torch.tensor([4, 0, 0]), torch.tensor([1, 0])
    expected = matrix[users][:, shared]
    expected[[0, 1], targets] = False
    np.testing.assert_array_equal(owned.others(users, shared, targets), expected)


@pytest.fixture(scope="module")
def everything() -> TrainingData:
    """Every user has every item but the last six, which nobody has."""
    return taste_world(30, 20, share=1, new_items=NEW_ITEMS)


@pytest.mark.parametrize(
    "model",
    [
        SequenceTransformer(dimensions=4, epochs=1, layers=1, validation_users=0),
        SequenceTransformer(dimensions=4, epochs=1, layers=1, sampled_items=10, validation_users=0),
        ClusterAttention(dimensions=4, epochs=1, clusters=2, validation_users=0),
        TextMetric(dimensions=4, epochs=1),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_softmax_holds_nothing_else_that_the_user_has(
    model: Recommender, everything: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = []

    def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        finite = torch.isfinite(logits)
        assert finite.gather(1, targets[:, None]).all()
        others.append(int(finite.sum(dim=1).max()) - 1)
        return logits.logsumexp(dim=1).mean()

    monkeypatch.setattr(functional, "cross_entropy", cross_entropy)
    model.fit(everything)
    assert others
    assert max(others) <= NEW_ITEMS


def negatives_of(model: Recommender, data: TrainingData) -> np.ndarray:
    """Return the items that count as negatives in a training."""
    seen: list[torch.Tensor] = []
    found: list[torch.Tensor] = []

    def cross_entropy(
        logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor
    ) -> torch.Tensor:
        found.append(seen.pop()[(labels == 0) & (weights > 0)])
        return (logits * weights).mean()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(functional, "binary_cross_entropy_with_logits", cross_entropy)
        if isinstance(model, InterestNetwork):
            draw = InterestNetwork._draw_candidates

            def drawn(self: InterestNetwork, *given: torch.Tensor) -> tuple[torch.Tensor, ...]:
                candidates = draw(self, *given)
                seen.append(candidates[0])
                return candidates

            patch.setattr(InterestNetwork, "_draw_candidates", drawn)
        else:
            read = LanguageModelRanker._read

            def kept(self: LanguageModelRanker, *given: torch.Tensor) -> torch.Tensor:
                seen.append(given[-1])
                return read(self, *given)

            patch.setattr(LanguageModelRanker, "_read", kept)
        model.fit(data)
    return torch.cat(found).numpy()


def test_no_item_of_the_user_is_a_negative(everything: TrainingData, tiny_encoder: Path) -> None:
    texts = np.array([f"lamp {number}" for number in range(20 + NEW_ITEMS)], dtype=object)
    data = with_items(everything, texts=texts)
    interest = InterestNetwork(dimensions=4, epochs=2, validation_users=0)
    ranker = LanguageModelRanker(
        model=str(tiny_encoder), epochs=1, examples=60, negatives=6, validation_users=0
    )
    for model in (interest, ranker):
        negatives = negatives_of(model, data)
        assert len(negatives)
        assert negatives.min() >= 20, type(model).__name__


@pytest.mark.parametrize("hard_negatives", [0, 1, 3])
def test_the_correction_covers_every_way_in_which_a_candidate_is_drawn(hard_negatives: int) -> None:
    data = taste_world(40, 30, share=0.3, new_items=NEW_ITEMS)
    model = ClusterAttention(random_negatives=4, hard_negatives=hard_negatives)
    sequences = Sequences.of(data.histories)
    n_items = data.histories.n_items
    neighbours = TextNeighbours.of(data.items.text_neighbours, 3)
    share = torch.bincount(sequences.items, minlength=n_items).double() / len(sequences.items)
    generator, times = torch.Generator().manual_seed(0), np.zeros(n_items)
    for _ in range(4000):
        items = sequences.items[torch.randint(len(sequences.items), (8,), generator=generator)]
        times[model._draw_candidates(items, n_items, neighbours, generator)] += 1
    expected = model._log_rates(share, 8, neighbours).exp()
    np.testing.assert_allclose(times / 4000, expected, atol=0.03)
