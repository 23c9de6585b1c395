"""``python -m longtail.reporting``: print the newest leaderboard, its costs or the profile."""

import argparse
import sys
from typing import Any

from longtail.errors import UserError
from longtail.hooks.costs import costs_behind
from longtail.pipelines.evaluation.params import EvaluationParameters
from longtail.project import open_catalog, open_records
from longtail.reporting.profile_terminal import print_profile
from longtail.reporting.terminal import print_costs, print_leaderboard


def main(arguments: list[str] | None = None) -> int:
    """Print leaderboard, costs or profile; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m longtail.reporting", description=__doc__)
    parser.add_argument("--env", default=None, help="the environment of the configuration")
    parser.add_argument("--data", action="store_true", help="print the profile of the data")
    parser.add_argument(
        "--costs", action="store_true", help="print what each model costs beside its quality"
    )
    options = parser.parse_args(arguments)
    try:
        show = show_profile if options.data else show_costs if options.costs else show_newest
        show(options.env)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def show_newest(env: str | None) -> None:
    """Load the newest leaderboard through the catalog and print it.

    Raises:
        UserError: if no evaluation has been saved yet.
    """
    catalog, parameters = _evaluated(env)
    print_leaderboard(
        catalog.load("leaderboard"),
        catalog.load("comparisons"),
        parameters.primary_k,
        parameters.baseline,
    )


def show_costs(env: str | None) -> None:
    """Print seconds, milliseconds and bytes of the models of the newest leaderboard.

    Raises:
        UserError: if no evaluation has been saved yet.
    """
    catalog, parameters = _evaluated(env)
    version = catalog["leaderboard"].resolve_load_version()
    costs = costs_behind("leaderboard", version, open_records(env))
    print_costs(catalog.load("leaderboard"), costs, parameters.primary_k)


def _evaluated(env: str | None) -> tuple[Any, EvaluationParameters]:
    """Return the catalog, once there is a leaderboard in it, and how it is evaluated."""
    catalog = open_catalog(env)
    if not catalog.exists("leaderboard"):
        raise UserError("There is no leaderboard yet: run `kedro run` first.")
    return catalog, EvaluationParameters.model_validate(catalog.load("params:evaluation"))


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
