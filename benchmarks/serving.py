"""Measure the latency of the newest registered hybrid over HTTP, after ``make demo``.

    python benchmarks/serving.py [--requests 200]

Starts ``kedro serve --env demo``, warms it up, and requests the lists of known
and of unknown users, one at a time. Prints median and 95 % quantile in milliseconds, including the
network.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from longtail.project import open_catalog  # noqa: E402

WARM_UP = 20


def main() -> None:
    """Start the server, send requests and print the latencies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=200)
    n_requests = parser.parse_args().requests
    test = open_catalog().load("test_interactions@pandas")
    process, address = serve()
    try:
        wait_for(f"{address}/ping", process)
        for kind, requests in requests_of(test, n_requests).items():
            seconds = [ask(f"{address}/invocations", request) for request in requests][WARM_UP:]
            median, late = 1000 * np.quantile(seconds, [0.5, 0.95])
            print(f"{kind:12} median {median:6.1f} ms   95 % within {late:6.1f} ms")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)


def serve() -> tuple[subprocess.Popen[bytes], str]:
    """Start the server on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{ROOT}/mlflow.db",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    command = ["kedro", "serve", "--env", "demo"]
    process = subprocess.Popen(
        [*command, "--port", str(port)],
        env=environment,
        cwd=ROOT,
        process_group=0,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return process, f"http://127.0.0.1:{port}"


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers.

    Raises:
        SystemExit: the server has ended.
    """
    while process.poll() is None:
        try:
            with urlopen(address, timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.5)
    raise SystemExit("The server did not start: run `make demo` first.")


def requests_of(test: pd.DataFrame, n_requests: int) -> dict[str, list[dict[str, object]]]:
    """Return requests for known users and for unknown users with given items."""
    by_user = test.groupby("user_id")["item_id"].agg(list)
    drawn = by_user.sample(n_requests + WARM_UP, replace=True, random_state=0)
    return {
        "known users": [{"user_id": user} for user in drawn.index],
        "new users": [{"item_ids": items[:10]} for items in drawn],
    }


def ask(address: str, request: dict[str, object]) -> float:
    """Return the seconds of one request."""
    body = json.dumps({"dataframe_records": [request], "params": {"k": 10}}).encode()
    started = time.perf_counter()
    with urlopen(
        Request(address, body, {"Content-Type": "application/json"}), timeout=60
    ) as answer:
        answer.read()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
