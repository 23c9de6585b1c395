"""``python -m longtail.reporting``: print the newest leaderboard, or the profile of the data."""

import argparse
import sys

from longtail.errors import UserError
from longtail.project import open_catalog
from longtail.reporting.profile_terminal import print_profile
from longtail.reporting.terminal import print_leaderboard


def main(arguments: list[str] | None = None) -> int:
    """Print the leaderboard or the profile; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m longtail.reporting", description=__doc__)
    parser.add_argument("--env", default=None, help="the environment of the configuration")
    parser.add_argument("--data", action="store_true", help="print the profile of the data")
    options = parser.parse_args(arguments)
    try:
        show_profile(options.env) if options.data else show_newest(options.env)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def show_newest(env: str | None) -> None:
    """Load the newest leaderboard through the catalog and print it.

    Raises:
        UserError: if no evaluation has been saved yet.
    """
    catalog = open_catalog(env)
    if not catalog.exists("leaderboard"):
        raise UserError("There is no leaderboard yet: run `kedro run` first.")
    parameters = catalog.load("params:evaluation")
    print_leaderboard(
        catalog.load("leaderboard"),
        catalog.load("comparisons"),
        parameters["primary_k"],
        parameters["baseline"],
    )


def show_profile(env: str | None) -> None:
    """Load the newest profile of the data through the catalog and print it.

    Raises:
        UserError: if no data have been cleaned yet.
    """
    catalog = open_catalog(env)
    if not catalog.exists("data_profile"):
        raise UserError(
            "There is no profile yet: run `kedro run --pipelines=behaviour_cleaning` first."
        )
    print_profile(catalog.load("data_profile"))


if __name__ == "__main__":
    sys.exit(main())
