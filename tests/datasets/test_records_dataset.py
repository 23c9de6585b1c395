from pathlib import Path

from longtail.datasets import RecordsDataset


def test_preview_is_a_table_of_the_first_records(tmp_path: Path) -> None:
    dataset = RecordsDataset(filepath=str(tmp_path / "rows.json"))
    rows = [{"model": "als", "k": 20, "value": 0.25}, {"model": "hybrid", "k": None}]
    dataset.save(rows * 20)

    assert dataset.load() == rows * 20
    preview = dataset.preview(nrows=2)
    assert preview["columns"] == ["model", "k", "value"]
    assert preview["data"] == [["als", 20, 0.25], ["hybrid", None, None]]
