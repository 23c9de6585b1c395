import os
import subprocess
import sys
from pathlib import Path


def test_graph_is_built_for_publishing(finished_project: Path) -> None:
    completed = subprocess.run(
        [sys.executable, "-m", "kedro", "viz", "build"],
        cwd=finished_project,
        env=os.environ | {"KEDRO_ENV": "test"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert completed.returncode == 0, completed.stderr
    main = (finished_project / "build/api/main").read_text(encoding="utf-8")
    assert "evaluate_models" in main
    assert '"leaderboard"' in main
