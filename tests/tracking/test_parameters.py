from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from mlflow.entities import Param, RunTag
from mlflow.tracking import MlflowClient
from pydantic import BaseModel
from tests.tracking.stored_runs import start

from longtail.tracking.parameters import flatten, tracked_parameters, upstream_parameters


class Inner(BaseModel):
    factors: int = 16


class Settings(BaseModel):
    als: Inner = Inner()
    ks: tuple[int, ...] = (10, 20)


def test_typed_parameters_are_flattened() -> None:
    assert flatten({"model": Settings(), "seed": 1}) == {
        "model.als.factors": 16,
        "model.ks": [10, 20],
        "seed": 1,
    }


def test_a_parameter_has_one_name_whether_set_or_inherited(client: MlflowClient) -> None:
    """A run of all and one that only evaluates differ in the parameter that differs."""
    parameters = {"tuning": {"trials": 2}, "evaluation": {"k": 20, "seed": 1}}
    everything, of_all = tracked(["tuning", "evaluation"], parameters, {})
    run = start(client)
    client.log_batch(
        run.info.run_id,
        params=[Param(*entry) for entry in everything.items()],
        tags=[RunTag(*entry) for entry in of_all.items()],
    )

    upstream = upstream_parameters([client.get_run(run.info.run_id)])
    changed = {"evaluation": {"k": 20, "seed": 2}}
    evaluation, of_evaluation = tracked(["evaluation"], changed, upstream)

    assert set(everything.items()) ^ set(evaluation.items()) == {
        ("evaluation.seed", "1"),
        ("evaluation.seed", "2"),
    }
    assert of_all == {"parameters.set": "evaluation, tuning"}
    assert of_evaluation == {"parameters.set": "evaluation", "parameters.inherited": "tuning"}


def test_what_a_run_took_itself_counts_before_what_another_inherited(client: MlflowClient) -> None:
    runs = []
    for taken, value in (("tuning", "5"), ("evaluation", "2")):
        run = start(client, {"parameters.set": taken})
        client.log_param(run.info.run_id, "tuning.trials", value)
        runs.append(client.get_run(run.info.run_id))
    assert upstream_parameters(runs) == {"tuning.trials": {"5"}}


def tracked(
    groups: list[str], values: dict[str, dict[str, int]], upstream: dict[str, set[str]]
) -> tuple[dict[str, str], dict[str, str]]:
    names = [f"params:{group}" for group in groups]
    pipeline = Pipeline([Node(lambda *_: 1, names, "result")])
    catalog = DataCatalog({f"params:{n}": MemoryDataset(value) for n, value in values.items()})
    return tracked_parameters(pipeline, catalog, upstream)
