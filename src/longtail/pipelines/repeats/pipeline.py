"""Wiring of the summary over repeats."""

from kedro.pipeline import Node, Pipeline

from longtail.pipelines.repeats.nodes import show_repeats, summarise_repeats


def create_pipeline() -> Pipeline:
    """Summarise the results of the repeats that `kedro repeat` ran, and print the summary."""
    return Pipeline(
        [
            Node(
                summarise_repeats,
                inputs=["repeat_results", "params:evaluation"],
                outputs="repeats",
                name="summarise_repeats",
            ),
            Node(
                show_repeats,
                inputs=["repeats", "params:evaluation"],
                outputs=None,
                name="show_repeats",
            ),
        ],
        namespace="repeats",
        prefix_datasets_with_namespace=False,
    )
