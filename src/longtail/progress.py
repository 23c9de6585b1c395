"""Progress bars: drawn in a terminal, left out of a file, where each step would be a line."""

from __future__ import annotations

import sys
from functools import partial

from tqdm.auto import tqdm

# tqdm draws no bar outside of a terminal where ``disable`` is None.
progress = partial(tqdm, leave=False, disable=None)


def in_terminal() -> bool:
    """Whether bars are drawn."""
    return sys.stderr.isatty()


def no_bars_in_files() -> None:
    """Turn off the bars of transformers, which load the weights of a model, outside terminals."""
    import transformers  # noqa: PLC0415 heavy import

    if not in_terminal():
        # The function has no annotations.
        transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
