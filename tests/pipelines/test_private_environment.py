from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

KEY = "a key that nobody guesses"


def test_neither_user_ids_nor_the_key_leave_the_private_environment(
    project: Path,
    run_kedro: Callable[..., str],
    fabricated_data: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("LONGTAIL_DATA", str(fabricated_data))
    monkeypatch.setenv("LONGTAIL_PSEUDONYM_KEY", KEY)
    run_kedro(
        pipelines=["behaviour_cleaning"],
        env="private",
        params={"behaviour_cleaning": {"min_evaluated_users": 5}},
    )
    files = [path for path in (project / "data").rglob("*") if path.is_file()]
    tables = {path.name: pd.read_parquet(path) for path in files if path.suffix == ".parquet"}
    with_users = {name: table for name, table in tables.items() if "user_id" in table}
    assert len(with_users) >= 6
    for table in with_users.values():
        assert (table["user_id"].str.len() == 32).all()
    user = pd.read_csv(fabricated_data / "interactions.csv")["user_id"].iloc[0].encode()
    texts = [path.read_bytes() for path in files if path.suffix == ".json"]
    assert not any(user in text for text in texts)
    everything = [path.read_bytes() for path in (*files, project / "mlflow.db")]
    assert not any(KEY.encode() in content for content in everything)
    assert KEY not in caplog.text
