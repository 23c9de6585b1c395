"""Files written in every way that exports are: each ends in the right table or in a sentence."""

import codecs
import csv
import gzip
import io
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import yaml
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from kedro.io import DatasetError

from longtail.datasets.source_table import SourceTableDataset
from longtail.errors import UserError
from longtail.pipelines.behaviour_cleaning.nodes import clean_behaviour
from longtail.pipelines.behaviour_cleaning.params import BehaviourCleaningParameters

CONF = Path(__file__).parents[2] / "conf/base"
EXAMPLES = int(os.environ.get("LONGTAIL_FUZZ_EXAMPLES", "25"))
START = 1_600_000_000
N_USERS, N_STEPS, N_ITEMS = 6, 8, 10

ENCODINGS = {
    "utf-8": b"",
    "utf-8-sig": b"",
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": b"",
    "cp1252": b"",
}
ID_STYLES = [
    "{}",
    "u{}",
    "00{}",
    "{}.0",
    " {} ",
    "ü{}",
    "a;{}",
    "a,{}",
    'q"{}',
    "{}|x",
    "#{}",
    "nan{}",
]
TIMES = {
    "seconds": str,
    "float seconds": lambda t: f"{t}.0",
    "milliseconds": lambda t: str(1000 * t),
    "microseconds": lambda t: str(10**6 * t),
    "nanoseconds": lambda t: str(10**9 * t),
    "scientific": lambda t: f"{t:.9e}",
    "ISO": lambda t: datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%d %H:%M:%S"),
    "ISO with zone": lambda t: datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    "spreadsheet days": lambda t: f"{25_569 + t / 86_400:.6f}",
    "positions": lambda t: str((t - START) // 1000),
    "fractions": lambda t: f"{(t - START) / 1e6:.6f}",
    "none": lambda _: "",
}  # fmt: skip
RATINGS = ["", "5", "4.5", "NA", "null"]


@dataclass(frozen=True)
class Style:
    """How the two files are written."""

    separator: str
    encoding: str
    line_end: str
    quoting: int
    user_id: str
    item_id: str
    time: str
    ratings: tuple[str, ...]
    compressed: bool
    index_column: bool
    extra_lines: int


STYLES = st.builds(
    Style,
    separator=st.sampled_from([",", ";", "\t", "|"]),
    # Mostly files that can be read, so that reading is tried more often than refusing.
    encoding=st.just("utf-8") | st.sampled_from(list(ENCODINGS)),
    line_end=st.sampled_from(["\n", "\r\n"]) | st.just("\r\r\n"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    user_id=st.sampled_from(ID_STYLES),
    item_id=st.sampled_from(ID_STYLES),
    time=st.sampled_from(list(TIMES)),
    ratings=st.lists(st.sampled_from(RATINGS), min_size=1, max_size=3).map(tuple),
    compressed=st.booleans(),
    index_column=st.booleans(),
    extra_lines=st.integers(0, 1),
)


def truth(style: Style) -> pd.DataFrame:
    """Return the interactions, each user's in the order of time."""
    rows = [
        (style.user_id.format(user), style.item_id.format((user + step) % N_ITEMS), step, user)
        for user in range(N_USERS)
        for step in range(N_STEPS)
    ]
    return pd.DataFrame(rows, columns=["user_id", "item_id", "step", "user"])


def write(folder: Path, stem: str, table: pd.DataFrame, style: Style) -> None:
    """Write a table as an export of this style."""
    text = io.StringIO()
    if style.index_column:
        table = table.rename_axis("").reset_index()
    writer = csv.writer(
        text, delimiter=style.separator, lineterminator=style.line_end, quoting=style.quoting
    )
    writer.writerow(table.columns)
    writer.writerows(table.itertuples(index=False))
    written = text.getvalue() + style.extra_lines * style.line_end
    content = ENCODINGS[style.encoding] + written.encode(style.encoding)
    if style.compressed:
        (folder / f"{stem}.csv.gz").write_bytes(gzip.compress(content))
    else:
        (folder / f"{stem}.csv").write_bytes(content)


def clean(folder: Path) -> tuple[pd.DataFrame, int]:
    """Return the interactions that cleaning keeps, and how many it rejects."""
    presets = yaml.safe_load((CONF / "globals_signals.yml").read_text())["signal_presets"]
    parameters = BehaviourCleaningParameters(min_evaluated_users=1, signal_presets=presets)
    log, items = (
        SourceTableDataset(folder=str(folder), stem=stem, missing_ids=parameters.missing_ids).load()
        for stem in ("interactions", "items")
    )
    kept, rejected, *_ = clean_behaviour(log, items, parameters)
    return kept.to_pandas(), int(rejected.count().execute())


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES <= 25,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(style=STYLES)
def test_every_export_is_read_right_or_refused_with_a_sentence(style: Style) -> None:
    known = truth(style)
    times = START + 1000 * known["step"] + known["user"]
    log = known[["user_id", "item_id"]].assign(
        rating=[style.ratings[row % len(style.ratings)] for row in range(len(known))],
        timestamp=times.map(TIMES[style.time]),
    )
    items = pd.DataFrame({"item_id": [style.item_id.format(item) for item in range(N_ITEMS)]})
    with TemporaryDirectory() as folder:
        write(Path(folder), "interactions", log.sample(frac=1, random_state=0), style)
        write(Path(folder), "items", items.assign(title='Lamp, "oak"; large'), style)
        refusal = ""
        try:
            kept, n_rejected = clean(Path(folder))
        except (UserError, DatasetError) as error:
            refusal = str(error).replace(folder, "")
    if refusal:
        event(f"refused: {refusal[:60]}")
        assert len(refusal) > 20
        assert "Traceback" not in refusal
        return
    event("read")
    assert len(kept) + n_rejected == len(log)
    # Ratings in words are rejected and reported; every other row is kept.
    expected = known[~log["rating"].isin(["NA", "null"]).to_numpy()] if n_rejected else known
    pairs = expected["user_id"].str.strip() + "\n" + expected["item_id"].str.strip()
    assert set(kept["user_id"] + "\n" + kept["item_id"]) == set(pairs)
    if style.time != "none":
        in_time = kept.sort_values(["user_id", "timestamp"]).groupby("user_id")["item_id"]
        wanted = expected.assign(user_id=expected["user_id"].str.strip()).groupby("user_id")
        for user, found in in_time:
            in_order = wanted["item_id"].get_group(user).str.strip().tolist()
            assert found.tolist() == in_order
