"""Prepare data to try the project with.

``python -m longtail.demo [movielens|bilingual|fabricated]``
"""

import sys

from longtail.demo.movielens import prepare
from longtail.errors import UserError
from longtail.settings import PROJECT_ROOT

DATA = PROJECT_ROOT / "data/01_raw"


def movielens() -> None:
    """Download MovieLens 100K unless it is already there."""
    folder = DATA / "movielens-100k"
    if prepare(folder):
        sys.stdout.write(f"MovieLens 100K is in {folder}.\n")


def bilingual() -> None:
    """Write the bookshop of the environment ``multilingual``."""
    from longtail.demo.bilingual import write_data  # noqa: PLC0415

    write_data(DATA / "bilingual")
    sys.stdout.write(f"A fabricated bookshop, half Chinese, is in {DATA / 'bilingual'}.\n")


def fabricated() -> None:
    """Write the fabricated data and the tiny encoder of the environment ``test``."""
    from longtail.demo.fabricated import write_data, write_encoder  # noqa: PLC0415

    write_data(DATA / "fabricated")
    write_encoder(DATA / "fabricated/encoder")


def main() -> None:
    """Run the command named on the command line."""
    commands = {"movielens": movielens, "bilingual": bilingual, "fabricated": fabricated}
    name = sys.argv[1] if len(sys.argv) > 1 else "movielens"
    if name not in commands:
        sys.exit(f"Error: there is no demo data '{name}'; choose one of {', '.join(commands)}.")
    try:
        commands[name]()
    except UserError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
