"""Kedro-Viz and MLflow in a browser without a screen: what a person would look for is there."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from mlflow.tracking import MlflowClient
from tests.conftest import RunKedro

LAYERS = [
    "raw",
    "intermediate",
    "primary",
    "feature",
    "model input",
    "models",
    "model output",
    "reporting",
]


@contextmanager
def serving(*command: str, project: Path) -> Iterator[str]:
    """Start a server of the project; yield its address."""
    port = free_port()
    environment = os.environ | {
        "KEDRO_ENV": "test",
        "MLFLOW_WORKERS": "1",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    with (project / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "kedro", *command, "--port", str(port)],
            cwd=project,
            env=environment,
            stdout=log,
            stderr=log,
            process_group=0,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address, process, project / "server.log")
        yield address
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def free_port() -> int:
    """Return a port that nobody listens to; Kedro-Viz takes none of the highest ones."""
    for port in range(20_000, 40_000, 7):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("every port is taken")


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urlopen(address, timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.5)
    raise AssertionError(log.read_text())


def page(chromium: str, address: str, profile: Path) -> str:
    """Return the document that a page's scripts have built."""
    options = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    options += "--disable-background-networking --disable-component-update --disable-sync "
    options += f"--window-size=1600,1000 --virtual-time-budget=20000 --user-data-dir={profile}"
    completed = subprocess.run(
        [chromium, *options.split(), "--dump-dom", address],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return completed.stdout


@pytest.mark.xfail(
    reason="Since the graph has some 90 nodes the page shows no layers: to be mended."
)
def test_graph_shows_all_layers_in_order(
    chromium: str, finished_project: Path, tmp_path: Path
) -> None:
    with serving("viz", "run", "--no-browser", project=finished_project) as address:
        document = page(
            chromium, f"{address}/?pid=__default__&sizewarning=false", tmp_path / "profile"
        )

    assert re.findall(r'data-id="layer-label--([^"]+)"', document) == LAYERS
    for name in ("clean_behaviour", "recommend_hybrid", "leaderboard"):
        assert f">{name}<" in document


def test_comparison_of_two_runs_shows_what_differs(
    chromium: str, project: Path, run_kedro: RunKedro, tmp_path: Path
) -> None:
    for seed in (1, 2):
        run_kedro(pipelines=["behaviour_cleaning"], params={"behaviour_cleaning": {"seed": seed}})
    client = MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("longtail").experiment_id
    first, second = (run.info.run_id for run in client.search_runs([experiment]))

    with serving("mlflow", "ui", project=project) as address:
        query = f'runs=["{first}","{second}"]&experiments=["{experiment}"]'
        document = page(chromium, f"{address}/#/compare-runs?{query}", tmp_path / "profile")

    rows = [parameter_row(row) for row in re.findall(r"<tr.*?</tr>", document, re.DOTALL)]
    differing = {name: values for name, *values, differs in rows if differs and "." in name}
    assert differing["behaviour_cleaning.seed"] == ["2", "1"]
    assert ["behaviour_cleaning.min_rating", "3.5", "3.5", False] in rows
    assert not [name for name in differing if name.startswith("behaviour_cleaning.items_columns")]


def parameter_row(row: str) -> list[str | bool]:
    """Return the cells of a table row and whether the page marks them as different."""
    cells = re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)
    texts = [re.sub(r"<.*?>", "", cell) for cell in cells]
    return [*texts, row.startswith('<tr class="diff-row"')]
