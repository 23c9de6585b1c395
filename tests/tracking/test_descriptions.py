from longtail.tracking.descriptions import kedro_command, run_name


def test_run_name_shows_data_pipelines_and_time() -> None:
    name = run_name("toys", ["als_baseline", "evaluation"], "2026-11-21T23.36.20.314Z")
    assert name == "toys als_baseline+evaluation 2026-11-21 23:36:20"
    name = run_name("toys", ["all"], "2026-11-21T23.36.20.314Z", {"hybrid": {"tail_emphasis": 0.5}})
    assert name == "toys all hybrid.tail_emphasis=0.5 2026-11-21 23:36:20"
    name = run_name(
        "toys", ["all"], "2026-11-21T23.36.20.314Z", {"k": {"a": 1, "b": 2, "c": 3, "d": 4}}
    )
    assert name == "toys all k.a=1 k.b=2 k.c=3 ... 2026-11-21 23:36:20"


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
