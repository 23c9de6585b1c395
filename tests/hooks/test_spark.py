"""Spark starts for the environments that ask for it, and for no other."""

from pathlib import Path
from typing import Any

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project


def started_with(project: Path, env: str, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return the settings of every start of Spark while an environment is loaded."""
    starts: list[dict[str, Any]] = []
    monkeypatch.setenv("LONGTAIL_DATA", str(project))
    monkeypatch.setattr(
        "longtail.hooks.spark.start_spark", lambda settings, _: starts.append(dict(settings))
    )
    bootstrap_project(project)
    with KedroSession.create(project, env=env) as session:
        session.load_context()
    return starts


@pytest.mark.parametrize("env", ["base", "local", "canonical"])
def test_no_spark_where_no_settings_are(
    project: Path, env: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert started_with(project, env, monkeypatch) == []


def test_spark_with_the_settings_of_its_file(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings,) = started_with(project, "spark", monkeypatch)

    assert settings["spark.master"] == "local[*]"
