import os
from pathlib import Path

import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from longtail.behaviour.dislikes import MOMENTS
from longtail.behaviour.origins import RepeatParameters
from longtail.datasets.source_table import SourceTableDataset
from longtail.errors import UserError
from longtail.pipelines.behaviour_cleaning.params import BehaviourCleaningParameters
from longtail.pipelines.behaviour_cleaning.pipeline import create_pipeline
from longtail.reporting.figures.profile import PLOTS
from longtail.tracking.descriptions import rejection_tags

CATALOG = Path(__file__).parents[2] / "conf/base/behaviour_cleaning/catalog.yml"
PRESETS = Path(__file__).parents[2] / "conf/base/globals_signals.yml"
REAL_DATA = Path(os.environ.get("LONGTAIL_SHARED_DATA", Path(__file__).parents[3] / "shared/data"))
SAVE_VERSION = "2026-01-01T00.00.00.000Z"
START = 1_500_000_000
HISTORIES = ("training", "validation", "past")


@pytest.fixture
def shop(tmp_path):
    """A small shop: ten users go through a cycle of items, each starting at a different item."""
    folder = tmp_path / "shop"
    folder.mkdir()
    visits = [(f"u{user}", f"i{(user + step) % 12:02}", START + 1000 * step + user)
              for user in range(10) for step in range(8)]  # fmt: skip
    write(folder, "interactions", pd.DataFrame(visits, columns=["user_id", "item_id", "timestamp"]))
    items = [(f"i{i:02}", f"Item number {i}" if i else "") for i in range(13)]
    write(folder, "items", pd.DataFrame(items, columns=["item_id", "title"]))
    return folder


def write(folder, stem, frame):
    frame.to_csv(folder / f"{stem}.csv", index=False)


def read(folder, stem):
    return pd.read_csv(folder / f"{stem}.csv", dtype=str)


def run(folder, save_version=SAVE_VERSION, origin=0, **parameters):
    """Run the pipeline with the project's catalog and its data folder next to the input."""
    text = CATALOG.read_text().replace("${globals:source_folder}", str(folder))
    text = text.replace("${globals:data_root}", str(folder.parent / "data"))
    text = text.replace("${globals:engine}", "{backend: duckdb, memory_limit: 4GB}")
    entries = {k: v for k, v in yaml.safe_load(text).items() if not k.startswith("_")}
    catalog = DataCatalog.from_config(entries, save_version=save_version)
    parameters = {"min_evaluated_users": 1} | parameters
    presets = yaml.safe_load(PRESETS.read_text())["signal_presets"]
    catalog["params:repeat"] = RepeatParameters(origin=origin)
    catalog["params:data_set"] = "toys"
    catalog["params:behaviour_cleaning"] = BehaviourCleaningParameters(
        **parameters, signal_presets=presets
    )
    SequentialRunner().run(create_pipeline(), catalog)
    return catalog


def written(folder):
    return [path for path in (folder.parent / "data").rglob("*") if path.is_file()]


def test_all_outputs(shop):
    catalog = run(shop)
    names = ["train", "validation", "test"]
    tables = [catalog.load(f"{name}_interactions@pandas") for name in names]
    split = catalog.load("split")
    report = catalog.load("cleaning_report")
    assert [len(table) for table in tables] == [split[f"n_{name}"] for name in names]
    assert sum(map(len, tables)) == catalog.load("interactions@ibis").count().execute() == 80
    assert split["protocol"] == "temporal"
    train, validation, test = tables
    assert train["timestamp"].max() < split["validation_start"] <= validation["timestamp"].min()
    assert validation["timestamp"].max() < split["test_start"] <= test["timestamp"].min()
    for table in tables:
        assert table.equals(table.sort_values(["user_id", "timestamp", "item_id"]))
        assert set(table["weight"]) == {1.0}
    items = catalog.load("items@pandas")
    assert items["item_id"].is_monotonic_increasing
    item_groups = catalog.load("item_groups")
    past = pd.concat([train, validation])
    counts = past["item_id"].value_counts().reindex(item_groups["item_id"]).fillna(0)
    assert item_groups["item_id"].tolist() == items["item_id"].tolist()
    assert item_groups["interaction_count"].tolist() == counts.tolist()
    assert "cold" in set(item_groups["item_group"])
    assert all(catalog.load(f"{name}_histories").common_cutoff for name in HISTORIES)
    assert set(catalog.load("user_groups")["user_id"]) == {f"u{i}" for i in range(10)}
    assert report["items"]["without_text"] == 1
    assert report["evaluation"]["evaluated_users"] == test["user_id"].nunique()
    assert catalog.load("rejected_items").count().execute() == 0
    profile = catalog.load("data_profile")
    assert profile["data_set"] == "toys"
    assert (profile["totals"]["pairs"], profile["totals"]["users"]) == (80, 10)
    assert profile["totals"]["unused_items"] == 1
    assert profile["history_lengths"] == [{"length": "5-9", "users": 10}]
    assert profile["filled"]["title"] == 12 / 13
    assert profile["months"] == [
        {"month": "2017-07", "interactions": 80, "new_users": 10, "new_items": 12}
    ]
    for name in PLOTS:
        assert catalog.load(name).layout.title.text


def test_the_order_of_rows_does_not_matter(shop, tmp_path):
    first = run(shop)
    shuffled = tmp_path / "again" / "shop"
    shuffled.mkdir(parents=True)
    for stem in ("interactions", "items"):
        write(shuffled, stem, read(shop, stem).sample(frac=1, random_state=1))
    second = run(shuffled)
    for name in ("train_interactions@pandas", "items@pandas", "test_interactions@pandas",
                 "item_groups"):  # fmt: skip
        pd.testing.assert_frame_equal(first.load(name), second.load(name))
    assert first.load("split") == second.load("split")


def test_auto_needs_enough_users_to_evaluate(shop, caplog):
    with caplog.at_level("INFO", logger="longtail"):
        catalog = run(shop, min_evaluated_users=100)
    split, report = catalog.load("split"), catalog.load("cleaning_report")
    assert split["protocol"] == "per_user"
    assert "at least 100 are required" in split["reason"]
    assert report["evaluation"]["reason"] == split["reason"]
    assert f"Split protocol per_user: {split['reason']}" in caplog.messages


def test_rows_without_time_stay_when_auto_falls_back_to_per_user(shop):
    log = read(shop, "interactions")
    log.loc[log.index[:2], "timestamp"] = None
    write(shop, "interactions", log)
    assert run(shop).load("cleaning_report")["interactions"]["rows_kept"] == 78
    catalog = run(shop, save_version="2026-01-02T00.00.00.000Z", min_evaluated_users=100)
    assert catalog.load("cleaning_report")["interactions"]["rows_kept"] == 80


def test_ordinal_positions_are_split_per_user(shop):
    log = read(shop, "interactions")
    log["timestamp"] = log.groupby("user_id").cumcount()
    write(shop, "interactions", log)
    catalog = run(shop)
    split = catalog.load("split")
    assert (split["protocol"], split["n_test"], split["test_start"]) == ("per_user", 20, None)
    assert not any(catalog.load(f"{name}_histories").common_cutoff for name in HISTORIES)


def test_columns_can_have_other_names(shop):
    log = read(shop, "interactions").rename(columns={"user_id": "customer"})
    write(shop, "interactions", log)
    catalog = run(shop, interactions_columns={"user_id": "customer"})
    assert catalog.load("user_groups")["user_id"].iloc[0] == "u0"


def test_a_user_who_has_everything_trains_and_is_counted(shop):
    log = read(shop, "interactions")
    everything = pd.DataFrame({"user_id": "zoe", "item_id": read(shop, "items")["item_id"]})
    write(shop, "interactions", pd.concat([log, everything.assign(timestamp=START)]))
    catalog = run(shop)
    assert catalog.load("cleaning_report")["evaluation"]["users_with_every_item"] == 1
    assert "zoe" in set(catalog.load("train_interactions@pandas")["user_id"])
    assert "zoe" not in set(catalog.load("test_interactions@pandas")["user_id"])


@pytest.mark.parametrize("column", ["user_id", "item_id"])
def test_a_missing_column_ends_the_run_before_anything_is_written(shop, column):
    write(shop, "interactions", read(shop, "interactions").drop(columns=column))
    with pytest.raises(UserError, match=f"interactions file has no column '{column}'"):
        run(shop)
    assert not written(shop)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"item_id": "elsewhere"}, "No interaction is left of the 80 rows"),
        ({"timestamp": "noon"}, "unparsable_timestamp 80"),
        ({"timestamp": "1700-01-01"}, "implausible_timestamp 80"),
        ({"rating": "NaN"}, "invalid_rating 80"),
    ],
)
def test_unusable_interactions_end_the_run_before_anything_is_written(shop, change, sentence):
    write(shop, "interactions", read(shop, "interactions").assign(**change))
    with pytest.raises(UserError, match=sentence):
        run(shop)
    assert not written(shop)


def test_a_temporal_split_without_evaluable_users_ends_the_run(shop):
    write(shop, "interactions", read(shop, "interactions").assign(timestamp=str(START)))
    with pytest.raises(UserError, match="No user can be evaluated on the test interactions"):
        run(shop, protocol="temporal")
    assert not written(shop)


@pytest.mark.parametrize(("event", "preset"), [("return", "shop"), ("impression", "news")])
def test_events_without_a_positive_one_end_the_run_with_one_sentence(shop, event, preset):
    write(shop, "interactions", read(shop, "interactions").assign(event_type=event))
    with pytest.raises(UserError, match=rf"No positive.*{event} .*80 rows.*signals") as caught:
        run(shop, preset=preset)
    assert "\n" not in str(caught.value)
    assert not written(shop)


def test_more_evidence_against_than_for_every_pair_ends_the_run_with_one_sentence(shop):
    log = read(shop, "interactions").assign(event_type="view")
    returned = log.assign(event_type="return", timestamp=log["timestamp"])
    write(shop, "interactions", pd.concat([log, returned]))
    with pytest.raises(UserError, match="No positive interaction is left"):
        run(shop, signals={"event_weights": {"view": 1, "return": -2}})


def test_pseudonyms_and_cleaning_agree_on_spaces_and_missing_ids(shop):
    log = read(shop, "interactions")
    log["user_id"] = [f" {user}" if n % 2 else user for n, user in enumerate(log["user_id"])]
    log.loc[log["user_id"] == "u0", "user_id"] = "NaN"
    write(shop, "interactions", log)
    table = SourceTableDataset(
        folder=str(shop), stem="interactions", pseudonymise="user_id", missing_ids=["nan"],
        credentials={"pseudonym_key": "a key that nobody guesses"},
    ).load().to_pandas()  # fmt: skip
    assert set(table["user_id"].str.len()) == {3, 32}
    assert table["user_id"].nunique() == 11


def test_mass_rejection_is_a_warning_and_in_the_report(shop, caplog):
    log, items = read(shop, "interactions"), read(shop, "items").assign(price="$1,299.00")
    log.loc[log.index[::8], "item_id"] += ".0"
    write(shop, "interactions", log)
    write(shop, "items", items)
    with caplog.at_level("WARNING", logger="longtail"):
        catalog = run(shop)
    report = catalog.load("cleaning_report")
    (unknown,), (price,) = (report[part]["mass_rejections"] for part in ("interactions", "items"))
    assert (unknown["rule"], unknown["rows"], unknown["share"]) == ("unknown_item", 10, 0.125)
    assert len(unknown["examples"]) == 3
    assert "'.0' at the end" in unknown["likely_cause"]
    assert (price["rule"], price["rows"], price["examples"]) == (
        "unreadable_price", 13, ["$1,299.00"]
    )  # fmt: skip
    assert "unknown_item: 12.5% of the interactions file (10 rows), for example" in caplog.text
    assert "unreadable_price: 100.0% of the items file (13 rows)" in caplog.text
    caplog.clear()
    silent = run(shop, "2026-01-02T00.00.00.000Z", max_rejected_share=1.0)
    assert silent.load("cleaning_report")["items"]["mass_rejections"] == []
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert not any("unknown_item" in record.getMessage() for record in warnings)
    shown = rejection_tags(create_pipeline(), catalog)["mass_rejections"]
    assert shown == "items.unreadable_price 100.0%, interactions.unknown_item 12.5%"


def test_events_without_a_weight_of_their_own_are_named(shop, caplog):
    log = read(shop, "interactions").assign(event_type="kauf")
    log.loc[log.index[::2], "event_type"] = "Purchase"
    write(shop, "interactions", log)
    run(shop, preset="shop")
    assert "The event types kauf have no weight of their own and count 1" in caplog.text


def test_patterns_that_the_engine_does_not_know_are_refused():
    for pattern in ("(?!post)age", r"(a)\1"):
        with pytest.raises(ValidationError, match="look-ahead or back-references"):
            BehaviourCleaningParameters(non_product_patterns=[pattern])


def test_examples_of_few_users_are_not_shown(shop):
    log = read(shop, "interactions").assign(rating="5")
    log.loc[log.index[:4], "rating"] = "secret of u0"
    log.loc[log.index[4::8], "rating"] = "NA"
    write(shop, "interactions", log)
    (finding,) = run(shop, min_group_size=5).load("cleaning_report")["interactions"][
        "mass_rejections"
    ]
    assert finding["examples"] == ["NA"]


def test_lost_zeros_are_recognised_where_nothing_is_left(shop):
    log, items = read(shop, "interactions"), read(shop, "items")
    write(shop, "interactions", log.assign(item_id=log["item_id"].str.replace("i", "000")))
    write(shop, "items", items.assign(item_id=items["item_id"].str[1:].astype(int)))
    with pytest.raises(UserError, match=r"No interaction is left.*'00007'.*zeros in front"):
        run(shop)


QUANTITIES = {"interactions_columns": {"quantity": "rating", "rating": None}}


@pytest.mark.parametrize(
    ("name", "protocol", "parameters"),
    [
        ("amazon14-toys-5core", "temporal", {}),
        ("amazon18-office", "per_user", {}),
        ("ml-latest-small", "per_user", {"min_rating": 3.5}),
        ("ml-latest-small", "per_user", {"preset": "video"}),
        ("uci-online-retail", "temporal", {"preset": "shop", **QUANTITIES}),
    ],
)
def test_real_logs(tmp_path, name, protocol, parameters):
    if not (REAL_DATA / name).is_dir():
        pytest.skip(f"Put {name} into a folder that the variable LONGTAIL_SHARED_DATA names.")
    (tmp_path / name).symlink_to((REAL_DATA / name).resolve())
    catalog = run(tmp_path / name, min_evaluated_users=100, **parameters)
    report, split = catalog.load("cleaning_report")["interactions"], catalog.load("split")
    assert split["protocol"] == protocol
    assert report["rows_in"] == report["rows_kept"] + report["rows_rejected"]
    train, test = (catalog.load(f"{part}_interactions@pandas") for part in ("train", "test"))
    assert train["weight"].mean() == pytest.approx(1, abs=1e-4)
    assert not train.merge(test, on=["user_id", "item_id"]).size
    if protocol == "temporal":
        assert train["timestamp"].max() < split["test_start"] <= test["timestamp"].min()
    else:
        last = train.groupby("user_id")["timestamp"].max().reindex(test["user_id"]).to_numpy()
        assert (test["timestamp"].to_numpy() >= last).all()


def test_wrong_parameters_are_named():
    with pytest.raises(ValidationError, match="protocol"):
        BehaviourCleaningParameters(protocol="random")
    with pytest.raises(ValidationError, match="latest_date must not be before"):
        BehaviourCleaningParameters(latest_date="1985-01-01")
    with pytest.raises(ValidationError, match="min_ratings"):
        BehaviourCleaningParameters(min_ratings=3)
    with pytest.raises(ValidationError, match="no preset 'toys'; choose one of shop, own"):
        BehaviourCleaningParameters(preset="toys", signal_presets={"shop": {}, "own": {}})


def test_only_the_chosen_preset_becomes_a_parameter():
    presets = yaml.safe_load(PRESETS.read_text())["signal_presets"]
    parameters = BehaviourCleaningParameters(preset="music", signal_presets=presets)
    dumped = parameters.model_dump(mode="json")
    assert dumped["signals"]["saturation"] == presets["music"]["saturation"]
    assert "signal_presets" not in dumped
    assert BehaviourCleaningParameters(**dumped) == parameters
    assert BehaviourCleaningParameters(signal_presets=presets).signals is None


def test_dislikes_are_kept_counted_and_known_from_their_time_on(shop):
    """u0 returns i00 in training and i01 in validation; u1 skips i11 and buys it in the test."""
    log = read(shop, "interactions").assign(event_type="buy")
    log["timestamp"] = log["timestamp"].astype(int)
    later = [
        ("u0", "i00", START + 5000, "return"),
        ("u0", "i01", START + 6900, "return"),
        ("u1", "i11", START, "skip"),
        ("u1", "i11", START + 7500, "buy"),
        ("hater", "i05", START, "skip"),
    ]
    write(shop, "interactions", pd.concat([log, pd.DataFrame(later, columns=log.columns)]))
    signals = {"event_weights": {"buy": 5, "return": -6, "skip": -1}}
    catalog = run(shop, signals=signals)
    table = catalog.load("dislikes@pandas")
    rows = {f"{row.user_id} {row.item_id} {row.known_at}" for row in table.itertuples()}
    both = [f"{pair} {moment}" for pair in ("u0 i00", "u1 i11", "hater i05") for moment in MOMENTS]
    # At the end u1 has bought what was skipped.
    assert rows == {*both, "u0 i01 test", "u0 i00 end", "u0 i01 end", "hater i05 end"}
    report = catalog.load("cleaning_report")["dislikes"]
    assert report["validation"] == {"pairs": 3, "users": 3, "chosen_later": 0}
    assert report["test"] == {"pairs": 4, "users": 3, "chosen_later": 1}
    assert "i11" in set(
        catalog.load("test_interactions@pandas").query("user_id == 'u1'")["item_id"]
    )
    totals = catalog.load("data_profile")["totals"]
    assert (totals["dislikes"], totals["dislikes_chosen_later"]) == (4, 1)
    training, held_out, past = (catalog.load(f"{name}_histories") for name in HISTORIES)
    known = {
        name: dict(zip(h.item_ids[h.disliked_items], h.user_ids[h.disliked_users], strict=True))
        for name, h in (("training", training), ("held out", held_out), ("past", past))
    }
    assert known["training"] == {"i00": "u0", "i05": "hater", "i11": "u1"}
    assert known["held out"] == {}
    assert known["past"] == {"i00": "u0", "i01": "u0", "i05": "hater", "i11": "u1"}
    # What was returned since is no interaction of the past.
    u0 = int((past.user_ids == "u0").argmax())
    assert "i01" in training.item_ids[training.items[training.users == u0]]
    assert "i01" not in past.item_ids[past.items[past.users == u0]]


def test_dislikes_of_an_earlier_origin_are_known_before_its_test(shop):
    log = read(shop, "interactions").assign(event_type="buy")
    log["timestamp"] = log["timestamp"].astype(int)
    end = int(log["timestamp"].max())
    later = [("u0", "i00", START + 2000, "return"), ("u1", "i01", end, "return")]
    write(shop, "interactions", pd.concat([log, pd.DataFrame(later, columns=log.columns)]))
    signals = {"event_weights": {"buy": 5, "return": -6}}
    catalog = run(shop, origin=1, signals=signals)
    start = catalog.load("split")["test_start"]
    dislikes = catalog.load("dislikes@pandas")
    assert start < catalog.load("split_protocol")["test_start"]
    assert set(dislikes["user_id"]) == {"u0"}


def test_the_terminal_says_what_was_understood(shop, caplog):
    caplog.set_level("INFO", logger="longtail")
    log = read(shop, "interactions")
    write(shop, "interactions", log.assign(rating=range(1, len(log) + 1), play_count=1))
    items = read(shop, "items").assign(artist="someone")
    items.loc[1:3, "title"] = ["🎈", "...", "ü"]
    write(shop, "items", items)
    report = run(shop).load("cleaning_report")
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "Not used of the interactions file: play_count. Counts and strengths" in said
    assert "Not used of the items file: artist. Text is used" in said
    assert "10 of 13 items have a usable text" in said
    assert "whole numbers from 1 to 80 and look like counts" in said
    assert "interactions_columns.quantity to rating" in said
    assert report["interactions"]["unused_columns"] == ["play_count"]
    assert report["items"]["unused_columns"] == ["artist"]
    assert report["items"]["usable_text"] == 10


def test_order_within_a_second_reaches_the_histories(shop):
    log = read(shop, "interactions")
    step = (log["timestamp"].astype(int) - START) // 1000
    # The first four of each user within one second, in the order of the items' names reversed.
    early = START * 1000 + 10 * (9 - step)
    times = early.where(step < 4, 1000 * log["timestamp"].astype("int64"))
    write(shop, "interactions", log.assign(timestamp=times))
    catalog = run(shop, protocol="per_user")
    histories = catalog.load("training_histories")
    first = histories.users == 0
    assert histories.item_ids[histories.items[first]][:4].tolist() == ["i03", "i02", "i01", "i00"]
    assert "position" in catalog.load("train_interactions@pandas").columns


def test_a_time_format_must_be_one():
    for wrong, sentence in (("%Q", "not a format of strptime"), ("%H:%M", "lacks the year")):
        with pytest.raises(ValidationError, match=sentence):
            BehaviourCleaningParameters(timestamp_format=wrong)
    with pytest.raises(ValidationError, match="for calendar times"):
        BehaviourCleaningParameters(timestamp_format="%d.%m.%Y", timestamps="ordinal")


def test_times_of_a_stated_format(shop):
    log = read(shop, "interactions")
    times = pd.to_datetime(log["timestamp"].astype(int), unit="s").dt.strftime("%d.%m.%Y %H:%M:%S")
    write(shop, "interactions", log.assign(timestamp=times))
    catalog = run(shop, timestamp_format="%d.%m.%Y %H:%M:%S")
    kept = catalog.load("interactions@pandas")
    assert sorted(kept["timestamp"]) == sorted(log["timestamp"].astype(int))
    assert catalog.load("split")["protocol"] == "temporal"


def test_both_files_with_semicolons_and_decimal_commas(shop):
    log = read(shop, "interactions").assign(quantity="1,5", dwell_seconds="0,25", rating="4,5")
    items = read(shop, "items").assign(price="12,50")
    for stem, table in (("interactions", log), ("items", items)):
        table.to_csv(shop / f"{stem}.csv", index=False, sep=";")
    catalog = run(shop)
    assert set(catalog.load("items@pandas")["price"]) == {12.5}
    assert set(catalog.load("interactions@pandas")["rating"]) == {4.5}
    said = [finding["sentence"] for finding in catalog.load("cleaning_report")["understood"]]
    assert "Decimal commas are read in price." in said
    assert "Decimal commas are read in rating, quantity, dwell_seconds." in said
    assert any(sentence.startswith("quantity is filled in 80 rows but") for sentence in said)
