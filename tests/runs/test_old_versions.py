import socket
from pathlib import Path

from longtail.runs.old_versions import old_versions, remove
from longtail.runs.records import RunRecord, RunRecords, this_process

ENDED = f"{socket.gethostname()}:999999999"


def save(root: Path, version: str, *datasets: str, status: str = "complete", **fields: object):
    for dataset in datasets:
        folder = root / "05_model_input" / dataset / version
        folder.mkdir(parents=True)
        (folder / dataset).write_text("12345678")
    record = {"version": version, "status": status, "process": ENDED} | fields
    RunRecords(root).write(RunRecord.model_validate(record))


def removable(root: Path, keep: int, *needed: str) -> list[str]:
    return old_versions(root, RunRecords(root), keep, needed).versions


def test_the_newest_runs_and_all_that_they_read_stay(tmp_path: Path) -> None:
    save(tmp_path, "v1", "items", "lists")
    save(tmp_path, "v2", "items", "lists")
    save(tmp_path, "v3", "items", "lists", status="failed")
    save(tmp_path, "v4", "items", "lists")
    save(tmp_path, "v5", "lists", inputs={"items": "v1"})
    assert removable(tmp_path, 1) == ["v2", "v3"]  # v4 holds the newest items, v5 reads those of v1
    assert removable(tmp_path, 3) == ["v3"]
    assert removable(tmp_path, 1, "v2") == ["v3"]


def test_ancestors_of_ancestors_stay(tmp_path: Path) -> None:
    save(tmp_path, "v1", "items")
    save(tmp_path, "v2", "items", "model", inputs={})
    save(tmp_path, "v3", "items")
    save(tmp_path, "v4", "items", "model", "lists", ancestors={"lists": {"model": "v2"}})
    assert removable(tmp_path, 1) == ["v1", "v3"]


def test_runs_that_go_on_copied_data_and_other_data_roots_stay(tmp_path: Path) -> None:
    save(tmp_path, "v1", "items", status="running", process=this_process())
    save(tmp_path, "v2", "items", status="running")
    save(tmp_path, "v3", "items")
    (tmp_path / "05_model_input/items/v0").mkdir()
    save(tmp_path / "demo", "v2", "items")
    old = old_versions(tmp_path, RunRecords(tmp_path), 1)
    assert (old.versions, old.size, old.kept) == (["v2"], 8, 2)

    remove(old, tmp_path)

    left = sorted(path.name for path in (tmp_path / "05_model_input/items").iterdir())
    assert left == ["v0", "v1", "v3"]
    assert (tmp_path / "demo/05_model_input/items/v2/items").exists()
    assert RunRecords(tmp_path).read("v2") is None
    assert removable(tmp_path, 1) == []
