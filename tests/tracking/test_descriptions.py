from longtail.tracking.descriptions import kedro_command, run_name


def test_run_name_begins_with_what_tells_runs_apart() -> None:
    started = "2026-11-21T23.36.20.314Z"
    name = run_name("toys", ["evaluation", "als_baseline"], started)
    assert name == "als_baseline+evaluation 11-21 23:36:20 toys"
    name = run_name("toys", ["all"], started, {"hybrid": {"tail_emphasis": 0.5}})
    assert name == "tail_emphasis=0.5 all 11-21 23:36:20 toys"
    name = run_name("toys", ["all"], started, {"k": {"a": 1, "b": 2, "c": 3, "d": 4}})
    assert name == "a=1 b=2 c=3 ... all 11-21 23:36:20 toys"


def test_run_name_tells_parameters_of_one_name_apart() -> None:
    name = run_name("toys", ["all"], "2026-11-21T23.36.20.314Z", {"a": {"seed": 1}, "b.seed": 2})
    assert name == "a.seed=1 b.seed=2 all 11-21 23:36:20 toys"


def test_command_can_be_repeated() -> None:
    none = dict.fromkeys(
        ("node_names", "from_nodes", "to_nodes", "from_inputs", "to_outputs", "tags")
    )
    run_params = none | {
        "env": "canonical",
        "pipeline_names": ["evaluation"],
        "load_versions": {"split": "v1"},
        "runtime_params": {"als": {"factors": 8}},
    }
    assert kedro_command(run_params) == (
        "kedro run --env=canonical --pipelines=evaluation --load-versions=split:v1"
        " --params=als.factors=8"
    )
