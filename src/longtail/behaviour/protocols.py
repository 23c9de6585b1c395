"""The split protocols: how each puts interactions into training, validation and test."""

import math
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

FOLD_IN = "fold_in"
"""Split of the short histories of hidden users; no model is fitted on it."""
VALIDATION_QUANTILE = 0.8
TEST_QUANTILE = 0.9
POPULARITY_STRATA = 10


@dataclass(frozen=True)
class Cutoffs:
    """First time of the validation and of the test period, in the unit of ``timestamp``."""

    validation_start: int
    test_start: int


def temporal_cutoffs(interactions: ir.Table) -> Cutoffs:
    """Return the 80 % and 90 % quantiles of the times, linearly interpolated and rounded up.

    Rounding up changes no assignment: times are integers, and a period starts at its cut-off.
    """
    time = interactions.timestamp.cast("float64")
    quantiles = time.quantile([VALIDATION_QUANTILE, TEST_QUANTILE]).to_pyarrow().as_py()
    return Cutoffs(*map(math.ceil, quantiles))


def assign_temporal(interactions: ir.Table, cutoffs: Cutoffs) -> ir.Table:
    """Add ``split``: train < validation start <= validation < test start <= test."""
    time = interactions.timestamp
    return interactions.mutate(
        split=ibis.cases(
            (time >= cutoffs.test_start, "test"),
            (time >= cutoffs.validation_start, "validation"),
            else_="train",
        )
    )


def assign_per_user(interactions: ir.Table, seed: int) -> ir.Table:
    """Add ``split``: each user's last 20 % in time are test, the 10 % before them validation.

    Of n interactions n_test = max(1, floor(0.2 n + 0.5)) and n_validation =
    max(1, floor(0.1 n + 0.5)). Users with fewer than 3 interactions are in train only, users with
    fewer than 5 have no validation.

    Args:
        interactions: user_id, item_id, timestamp; each pair once.
        seed: seed of the order of interactions with equal or no time.
    """
    ranked = rank_per_user(interactions, seed)
    n = ranked.n
    n_test = ibis.ifelse(n < 3, 0, ibis.greatest(1, (2 * n + 5) // 10))
    split = ibis.cases(
        (ranked.position >= n - n_test, "test"),
        (ranked.position >= n - n_test - _n_validation(n), "validation"),
        else_="train",
    )
    return ranked.mutate(split=split).drop("position", "n")


def _n_validation(n: ir.IntegerValue) -> ir.IntegerValue:
    return ibis.ifelse(n < 5, 0, ibis.greatest(1, (n + 5) // 10))


def assign_item_cold(interactions: ir.Table, hidden_share: float, seed: int) -> ir.Table:
    """Add ``split``: hidden items are never in train; the other items are split per user.

    Items are sorted by their number of interactions and cut into ten strata. In each stratum a
    seeded hash draws a share of the items for the test and as many for the validation; all their
    interactions are "test" or "validation". The interactions with the other items are split as
    under the protocol per_user, so that cold items, warm items and both can be compared.

    Args:
        interactions: user_id, item_id, timestamp; each pair once.
        hidden_share: share of the items of each stratum, above 0 and at most 0.4.
        seed: seed of the draw.
    """
    hidden = hidden_items(interactions, hidden_share, seed)
    joined = interactions.left_join(hidden, "item_id").drop("item_id_right")
    warm = assign_per_user(joined.filter(joined.split.isnull()).drop("split"), seed)
    return warm.union(joined.filter(joined.split.notnull()).select(warm.columns))


def hidden_items(interactions: ir.Table, hidden_share: float, seed: int) -> ir.Table:
    """Return item_id and split ("test" or "validation") of the items hidden under "item_cold".

    Args:
        interactions: user_id, item_id; each pair once.
        hidden_share: share of the items of each stratum, above 0 and at most 0.4.
        seed: seed of the draw.
    """
    counts = interactions.group_by("item_id").aggregate(n=interactions.count())
    drawn = counts.mutate(draw=_seeded_hash([counts.item_id], seed))
    popular_first = [drawn.n.desc(), drawn.draw]
    strata = drawn.mutate(stratum=ibis.ntile(POPULARITY_STRATA).over(order_by=popular_first))
    ranked = strata.mutate(
        position=ibis.row_number().over(group_by=strata.stratum, order_by=strata.draw),
        n_hidden=(hidden_share * strata.count().over(group_by=strata.stratum) + 0.5).floor(),
    )
    role = ibis.cases(
        (ranked.position < ranked.n_hidden, "test"),
        (ranked.position < 2 * ranked.n_hidden, "validation"),
    )
    roles = ranked.select("item_id", split=role)
    return roles.filter(roles.split.notnull())


def assign_user_cold(
    interactions: ir.Table, hidden_share: float, fold_in: tuple[int, ...], seed: int
) -> ir.Table:
    """Add ``split``: hidden users are never in train; the other users are in train and validation.

    A seeded hash draws a share of the users with more than m = max(fold_in) interactions. Their
    first m interactions in time are "fold_in", all later ones "test". Every history length of
    ``fold_in`` is a prefix of these m interactions, so all lengths are compared on the same users
    and the same held-out interactions. Of every other user the last tenth is "validation", sized as
    under the protocol per_user, and the rest "train".

    Args:
        interactions: user_id, item_id, timestamp; each pair once.
        hidden_share: share of the users with a long enough history.
        fold_in: lengths of the histories with which hidden users are evaluated.
        seed: seed of the draw, and of the order of interactions with equal or no time.
    """
    longest = max(fold_in)
    ranked = rank_per_user(interactions, seed)
    users = ranked.filter((ranked.position == 0) & (ranked.n > longest)).select("user_id")
    drawn = users.mutate(draw=_seeded_hash([users.user_id], seed))
    ordered = drawn.mutate(
        place=ibis.row_number().over(order_by=drawn.draw),
        n_hidden=(hidden_share * drawn.count().over() + 0.5).floor(),
    )
    hidden = ordered.filter(ordered.place < ordered.n_hidden).select(hidden_user_id="user_id")
    joined = ranked.left_join(hidden, ranked.user_id == hidden.hidden_user_id)
    is_hidden = joined.hidden_user_id.notnull()
    split = ibis.cases(
        (is_hidden & (joined.position < longest), FOLD_IN),
        (is_hidden, "test"),
        (joined.position >= joined.n - _n_validation(joined.n), "validation"),
        else_="train",
    )
    return joined.mutate(split=split).drop("position", "n", "hidden_user_id")


def rank_per_user(interactions: ir.Table, seed: int) -> ir.Table:
    """Add ``position`` (from 0, in time, per user) and ``n`` (interactions of the user).

    Equal times are ordered by ``moment`` (times with fractions) or the former ``position``, where
    the table has them, then by the MD5 of user, item and seed. Interactions without a time come
    first, so that none of them is in the test.
    """
    finer = [name for name in ("moment", "position") if name in interactions.columns]
    hashed = interactions.mutate(
        tie=_seeded_hash([interactions.user_id, interactions.item_id], seed)
    )
    within = [hashed[name] for name in finer]
    order = [hashed.timestamp.notnull(), hashed.timestamp, *within, hashed.tie]
    by_user = ibis.window(group_by=hashed.user_id)
    return hashed.mutate(
        position=ibis.row_number().over(ibis.window(group_by=hashed.user_id, order_by=order)),
        n=hashed.count().over(by_user),
    ).drop("tie")


def _seeded_hash(ids: list[ir.StringValue], seed: int) -> ir.StringValue:
    """Return the MD5 of ids and seed: a random order that is the same on every engine."""
    return ibis.literal("|").join([*ids, ibis.literal(str(seed))]).hexdigest("md5")
