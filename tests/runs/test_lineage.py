import subprocess
from pathlib import Path

import pytest

from longtail.runs.lineage import code_revision, encoder_precision


def test_code_revision_shows_uncommitted_changes(tmp_path: Path) -> None:
    assert code_revision(tmp_path) == {}
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(
        ["git", "-C", tmp_path, *identity, "commit", "-q", "--allow-empty", "-m", "x"], check=True
    )
    clean = code_revision(tmp_path)
    (tmp_path / "new.py").write_text("")

    assert len(clean["git.revision"]) == 40
    assert clean["git.dirty"] == "false"
    assert code_revision(tmp_path)["git.dirty"] == "true"


def test_git_is_not_required(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert code_revision(tmp_path) == {}


def test_the_precision_of_the_encoder_is_recorded() -> None:
    def recorded(precision: str) -> dict[str, str]:
        return encoder_precision({"item_encoding": {"encoder": {"precision": precision}}})

    assert recorded("int8") == {"encoder_precision": "int8"}
    assert recorded("auto")["encoder_precision"] in ("bfloat16", "float32")
    assert encoder_precision({"evaluation": {"primary_k": 20}}) == {}
