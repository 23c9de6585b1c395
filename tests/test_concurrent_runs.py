"""Runs that start at the same moment in one project disturb each other in nothing."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_pairs_of_runs_lose_and_mix_nothing() -> None:
    """``make concurrency-test`` runs 20 pairs of the whole graph on the same and on other data."""
    program = [sys.executable, "-m", "tests.concurrent_runs", "1", "behaviour_cleaning"]
    completed = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    for kind in ("same data", "different data"):
        assert f"{kind}: 2 runs, 0 failed, 0 missing, 0 mixed" in completed.stdout
