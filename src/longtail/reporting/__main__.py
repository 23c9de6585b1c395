"""``python -m longtail.reporting``: print the newest leaderboard of the catalog."""

import argparse
import sys

from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from longtail.errors import UserError
from longtail.reporting.terminal import print_leaderboard
from longtail.settings import PROJECT_ROOT


def main(arguments: list[str] | None = None) -> int:
    """Print the leaderboard; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m longtail.reporting", description=__doc__)
    parser.add_argument("--env", default=None, help="the environment of the configuration")
    env = parser.parse_args(arguments).env
    try:
        show_newest(env)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def show_newest(env: str | None) -> None:
    """Load the newest leaderboard through the catalog and print it.

    Raises:
        UserError: if no evaluation has been saved yet.
    """
    bootstrap_project(PROJECT_ROOT)
    with KedroSession.create(project_path=PROJECT_ROOT, env=env) as session:
        catalog = session.load_context().catalog  # type: ignore[attr-defined]
        if not catalog.exists("leaderboard"):
            raise UserError("There is no leaderboard yet: run `kedro run` first.")
        parameters = catalog.load("params:evaluation")
        print_leaderboard(
            catalog.load("leaderboard"),
            catalog.load("comparisons"),
            parameters["primary_k"],
            parameters["baseline"],
        )


if __name__ == "__main__":
    sys.exit(main())
