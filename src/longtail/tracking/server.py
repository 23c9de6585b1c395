"""Serves MLflow's interface and opens the page of the project's runs."""

from __future__ import annotations

import os
import subprocess
import sys
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, sleep
from urllib.request import urlopen

START_SECONDS = 120
# MLflow starts four workers and a queue of jobs: for one reader that is a third of the speed.
ONE_READER = {"MLFLOW_WORKERS": "1", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def serve(uri: str, page: str, host: str, port: str, show: Callable[[str], None]) -> int:
    """Serve the interface of a store until Ctrl-C, and open a page of it in the browser.

    Args:
        uri: of the store; a server that is running already is not started again.
        page: what follows the address of the server.
        host: to listen at.
        port: to listen at.
        show: is told the address of the page once the server answers.

    Returns:
        The exit status of the server.
    """
    if uri.startswith("http"):
        _open(uri.rstrip("/") + page, show)
        return 0
    address = f"http://{host}:{port}"
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri]
    server = subprocess.Popen(
        [*command, "--host", host, "--port", port], env=ONE_READER | os.environ
    )
    try:
        if _answers(f"{address}/health", server):
            _open(address + page, show)
        return server.wait()
    except KeyboardInterrupt:
        # The server has got the signal too.
        server.wait()
        return 0
    finally:
        server.terminate()


def _answers(address: str, server: subprocess.Popen[bytes]) -> bool:
    """Wait until a server answers; False if it has ended or takes too long."""
    give_up = monotonic() + START_SECONDS
    while server.poll() is None and monotonic() < give_up:
        with suppress(OSError), urlopen(address, timeout=5):
            return True
        sleep(0.2)
    return False


def _open(address: str, show: Callable[[str], None]) -> None:
    show(address)
    webbrowser.open(address)
