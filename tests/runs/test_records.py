from pathlib import Path

from longtail.runs.input_checks import mixed_inputs
from longtail.runs.records import RunRecord, RunRecords, ancestry


def test_only_complete_versions_are_newest(tmp_path: Path) -> None:
    records = RunRecords(tmp_path)
    records.write(RunRecord(version="v1", status="complete"))
    records.write(RunRecord(version="v2", status="failed"))
    records.write(RunRecord(version="v3", status="running"))

    assert RunRecords(tmp_path).newest_complete(["v1", "v2", "v3"]) == "v1"
    assert records.newest_complete(["v0", "v3"]) == "v0"  # no record: put there by hand
    assert records.newest_complete(["v2"]) is None


def test_ancestry_reaches_through_this_run_and_earlier_ones(tmp_path: Path) -> None:
    records = RunRecords(tmp_path)
    first = ancestry([(["raw"], ["items"])], {"raw": "r"}, "v1", records)
    records.write(RunRecord(version="v1", status="complete", ancestors=first))

    second = ancestry(
        [(["items"], ["vectors"]), (["vectors"], ["lists"])], {"items": "v1"}, "v2", records
    )

    assert second["vectors"] == {"raw": "r", "items": "v1"}
    assert second["lists"] == {"raw": "r", "items": "v1", "vectors": "v2"}


def test_inputs_made_from_different_content_are_mixed(tmp_path: Path) -> None:
    records = RunRecords(tmp_path)
    made = {"lists": {"items": "v1"}}
    for version, content in (("v1", "a"), ("v3", "b"), ("v4", "a")):
        hashes = {"items": content}
        records.write(RunRecord(version=version, status="complete", hashes=hashes))
    records.write(RunRecord(version="v2", status="complete", ancestors=made))

    mixed = mixed_inputs({"items": "v3", "lists": "v2"}, records)

    assert mixed is not None
    assert (mixed.shared, mixed.wanted, mixed.stale) == ("items", "v3", {"lists": "v1"})
    assert mixed.outdated == {"lists"}
    assert mixed_inputs({"items": "v4", "lists": "v2"}, records) is None
