"""Runs on disks of many sizes, from nearly nothing to nearly enough, and their repetition.

``python -m tests.full_disks LEVELS [PIPELINE ...]`` fills the disk at that many levels. Each run
has to end with one sentence, no file that can be seen may be cut short, and after the disk has
grown ``kedro run --only-changed`` has to give the files of a run that was never stopped. Needs
root.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from kedro.framework.startup import bootstrap_project
from tests.concurrent_runs import OF_THE_RUN
from tests.conftest import copy_project

from longtail import settings
from longtail.cli import cli
from longtail.demo.fabricated import write_data, write_encoder
from longtail.runs.records import content_hash

FORK = get_context("fork")
SENTENCE = re.compile(r"could not be saved: (no space left on device|disk quota exceeded)\.")


def run_command(project: Path, options: list[str]) -> None:
    """Run ``kedro run --env=test`` as a user does, with its output in a file."""
    output = os.open(project / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    settings.PROJECT_ROOT = project
    os.chdir(project)
    bootstrap_project(project)
    cli.main(["run", "--env=test", *options], prog_name="kedro")


def kedro_run(project: Path, options: list[str]) -> tuple[int, str]:
    """Return exit code and output of a run, the output in one line."""
    process = FORK.Process(target=run_command, args=(project, options))
    process.start()
    process.join()
    said = (project / "output.txt").read_text(encoding="utf-8")
    return int(process.exitcode or 0), " ".join(said.split())


def disk(project: Path, size: int) -> Path:
    """Mount a disk of some bytes where the data of the project are."""
    folder = project / "data/test"
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    return folder


def contents(folder: Path) -> dict[str, str]:
    """Return the hash of every dataset that the newest run saved and that no clock changes."""
    newest = max(folder.glob(".runs/*.json"))
    record = json.loads(newest.read_text(encoding="utf-8"))
    return {k: v for k, v in record["hashes"].items() if not k.endswith(OF_THE_RUN)}


def cut_short(folder: Path, whole: set[str]) -> list[Path]:
    """Return the files that can be seen and are not those of a whole run."""
    files = [path for path in folder.glob("*/*/*/*") if not _is_hidden(path.relative_to(folder))]
    return [path for path in files if content_hash(path) not in whole]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def count(folder: Path, levels: int, pipelines: list[str]) -> Counter[str]:
    """Fill the disk at several levels; return how often what has to hold did not.

    Args:
        folder: an empty folder.
        levels: number of disks.
        pipelines: which to run.
    """
    write_data(folder / "source")
    write_encoder(folder / "encoder")
    os.environ["LONGTAIL_TEST_DATA"] = str(folder / "source")
    os.environ["LONGTAIL_TEST_ENCODER"] = str(folder / "encoder")
    options = [f"--pipelines={','.join(pipelines)}"] if pipelines else []
    uninterrupted = copy_project(folder / "uninterrupted")
    place = disk(uninterrupted, 1 << 30)
    try:
        code, said = kedro_run(uninterrupted, options)
        assert code == 0, said
        expected = contents(place)
        whole = {content_hash(path) for path in place.glob("*/*/*/*")}
        used = sum(path.stat().st_blocks * 512 for path in place.rglob("*"))
    finally:
        subprocess.run(["umount", str(place)], check=True)
    counts = Counter(runs=0, full=0, without_sentence=0, cut_short=0, not_resumed=0, different=0)
    for level in range(levels):
        project = copy_project(folder / str(level))
        size = max(4096, used * (2 * level + 1) // (2 * levels) // 4096 * 4096)
        place = disk(project, size)
        try:
            code, said = kedro_run(project, options)
            counts.update(runs=1, full=code != 0)
            wrong = code != 0 and (not SENTENCE.search(said) or "Traceback" in said)
            counts.update(without_sentence=wrong, cut_short=bool(code and cut_short(place, whole)))
            if wrong:
                sys.stderr.write(f"{size}: {said}\n")
            subprocess.run(["mount", "-o", "remount,size=1G", str(place)], check=True)
            code, said = kedro_run(project, [*options, "--only-changed"])
            counts.update(not_resumed=code != 0)
            counts.update(different=code == 0 and contents(place) != expected)
            if code:
                sys.stderr.write(f"{size}, resumed: {said}\n")
        finally:
            subprocess.run(["umount", str(place)], check=True)
        sys.stderr.write(f"{size} bytes: {dict(counts)}\n")
    return counts


if __name__ == "__main__":
    with TemporaryDirectory() as temporary:
        found = count(Path(temporary), int(sys.argv[1]), sys.argv[2:])
    sys.stdout.write(", ".join(f"{n} {name}" for name, n in found.items()) + "\n")
    sys.exit(sum(n for name, n in found.items() if name not in ("runs", "full")))
