"""Kedro-Viz, MLflow and the report in a browser without a screen: what a person looks for."""

import asyncio
import json
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

import aiohttp
import pytest
from mlflow.tracking import MlflowClient
from tests.browser import visit
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


def page(chromium: str, address: str, profile: Path, until: str) -> str:
    """Return the document that a page's scripts have built, once it holds a pattern.

    The page is given real time: workers of its scripts know nothing of a virtual one.
    """
    options = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    options += "--disable-background-networking --disable-component-update --disable-sync "
    options += f"--window-size=1600,1000 --remote-debugging-port=0 --user-data-dir={profile}"
    process = subprocess.Popen(
        [chromium, *options.split(), address],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        return asyncio.run(document_with(until, profile / "DevToolsActivePort"))
    finally:
        process.terminate()
        process.wait(timeout=30)


async def document_with(pattern: str, port_file: Path) -> str:
    """Ask the browser for its page's document until it holds the pattern."""
    deadline = time.monotonic() + 120
    document = ""
    question = {"expression": "document.documentElement.outerHTML"}
    while not port_file.exists() or "\n" not in port_file.read_text():
        assert time.monotonic() < deadline, "the browser did not start"
        await asyncio.sleep(0.1)
    tabs = f"http://127.0.0.1:{port_file.read_text().split()[0]}/json"
    async with aiohttp.ClientSession() as session:
        while not (found := [t for t in await listed(session, tabs) if t["type"] == "page"]):
            await asyncio.sleep(0.1)
        async with session.ws_connect(found[0]["webSocketDebuggerUrl"], max_msg_size=0) as browser:
            while not re.search(pattern, document) and time.monotonic() < deadline:
                await asyncio.sleep(0.3)
                await browser.send_json({"id": 1, "method": "Runtime.evaluate", "params": question})
                answer = await browser.receive_json()
                document = answer["result"]["result"].get("value", "")
    return document


async def listed(session: aiohttp.ClientSession, tabs: str) -> list[dict[str, str]]:
    async with session.get(tabs) as answer:
        return await answer.json()


STAGES = (
    "behaviour_cleaning",
    "item_encoding",
    "als_baseline",
    "recommenders",
    "hybrid_scoring",
    "evaluation",
)


@pytest.mark.parametrize(
    ("expanded", "shown"),
    [(False, STAGES), (True, ("clean_behaviour", "recommend_hybrid", "leaderboard"))],
)
def test_graph_shows_stages_and_all_layers_in_order(
    chromium: str,
    finished_project: Path,
    tmp_path: Path,
    expanded: bool,
    shown: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As `make viz` opens it, there is no warning to click away.
    query = "&sizewarning=false&expandAllPipelines=true" if expanded else ""
    monkeypatch.setenv("LONGTAIL_VIEWING", "" if expanded else "1")
    with serving("viz", "run", "--no-browser", project=finished_project) as address:
        document = page(
            chromium,
            f"{address}/?pid=__default__{query}",
            tmp_path / "profile",
            until="layer-label--reporting",
        )

    layers = re.findall(r'data-id="layer-label--([^"]+)"', document)
    # The overview leaves out layers whose datasets are inside its stages.
    assert layers == (LAYERS if expanded else [layer for layer in LAYERS if layer in layers])
    assert {"raw", "models", "reporting"} <= set(layers)
    for name in shown:
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
        document = page(
            chromium,
            f"{address}/#/compare-runs?{query}",
            tmp_path / "profile",
            until="behaviour_cleaning.seed",
        )

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


@pytest.fixture
def report(finished_project: Path) -> Path:
    """The report that the run wrote."""
    return newest(finished_project, "08_reporting/evaluation_report.html")


def newest(project: Path, dataset: str) -> Path:
    """Return the file of the newest version of a dataset of the test environment."""
    folder = project / "data/test" / dataset
    return max(folder.glob(f"*/{folder.name}"))


def test_report_of_a_run_holds_what_the_run_saved(report: Path, finished_project: Path) -> None:
    page = report.read_text(encoding="utf-8")
    profile = json.loads(newest(finished_project, "08_reporting/data_profile.json").read_text())
    gate = json.loads(newest(finished_project, "06_models/hybrid_gate.json").read_text())
    assert f"<h1>Recommendations for {profile['data_set']}</h1>" in page
    assert f"<dt>Users</dt><dd>{profile['totals']['users']}</dd>" in page
    assert f"<dt>Run</dt><dd>{report.parent.name}</dd>" in page
    assert re.search(r"For \d+ users, NDCG@20 of the hybrid is [\d.]+ times that of als", page)
    assert "the best single model" in page
    front = json.loads(re.search(r"const front = (\[.*?\]);", page)[1])
    assert [p["tail_emphasis"] for p in front] == [p["tail_emphasis"] for p in gate["front"]]
    assert [p["ndcg"] for p in front] == [p["ndcg"] for p in gate["front"]]
    assert [p["tail_emphasis"] for p in front if p["chosen"]] == [gate["tail_emphasis"]]
    assert re.search(r"Searches all \d+ evaluated users", page)
    assert '<small class="reason">' in page


@pytest.mark.parametrize("width", [390, 1366])
def test_report_of_a_run_fits_the_screen_without_errors(
    chromium: str, report: Path, tmp_path: Path, width: int
) -> None:
    undrawn = "[...document.querySelectorAll('.plot')].filter((p) => !p.data).length"
    page_width = "document.documentElement.scrollWidth"
    visited = visit(chromium, report.as_uri(), tmp_path / "profile", width, [page_width, undrawn])
    assert visited.errors == []
    assert visited.values == [width, 0]
