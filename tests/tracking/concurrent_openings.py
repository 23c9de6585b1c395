"""Pairs of processes that open a fresh MLflow store at the same moment, as two first runs do.

``python -m tests.tracking.concurrent_openings FOLDER PAIRS [unlocked]`` prints how many of the
processes failed and how many runs are missing.
"""

import logging
import os
import sys
from contextlib import nullcontext
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from types import SimpleNamespace

from kedro_mlflow.config.kedro_mlflow_config import KedroMlflowConfig
from mlflow.tracking import MlflowClient

from longtail.private_interfaces import experiment_id_of, mlflow_client_of
from longtail.tracking.store import opening

EXPERIMENT = "longtail"
# Forked processes share the imports, which take longer than what is tried here.
FORK = get_context("fork")


def open_and_track(uri: str, locked: bool, barrier: Barrier) -> None:
    """Open the store as the tracking hooks do, and create a run."""
    logging.disable()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    context = SimpleNamespace(project_path=Path.cwd(), _get_config_credentials=dict)
    config = KedroMlflowConfig.model_validate(
        {
            "server": {"mlflow_tracking_uri": uri},
            "tracking": {
                "experiment": {"name": EXPERIMENT},
                "disable_tracking": {"disable_autologging": False},
            },
        }
    )
    barrier.wait()
    with opening(uri) if locked else nullcontext():
        config.setup(context)
    mlflow_client_of(config).create_run(experiment_id_of(config))


def count(folder: Path, pairs: int, locked: bool = True) -> tuple[int, int]:
    """Return how many processes failed and how many of their runs the stores lack."""
    failed = missing = 0
    for pair in range(pairs):
        uri = f"sqlite:///{folder}/{pair}.db"
        barrier = FORK.Barrier(2)
        processes = [
            FORK.Process(target=open_and_track, args=(uri, locked, barrier)) for _ in range(2)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        failed += sum(process.exitcode != 0 for process in processes)
        missing += 2 - stored_runs(uri)
    return failed, missing


def stored_runs(uri: str) -> int:
    """Return the number of runs in a store."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    runs = [] if experiment is None else client.search_runs([experiment.experiment_id])
    return len(runs)


if __name__ == "__main__":
    sys.stdout.write(
        "{} failed, {} missing\n".format(
            *count(Path(sys.argv[1]), int(sys.argv[2]), "unlocked" not in sys.argv)
        )
    )
