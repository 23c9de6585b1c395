from kedro.pipeline import Node, Pipeline

from longtail.runs.input_checks import in_order, maker_of, missing_inputs_message


def identity(table: object) -> object:
    return table


def registered() -> dict[str, Pipeline]:
    clean = Pipeline([Node(identity, "raw", "items@ibis", name="clean")])
    encode = Pipeline([Node(identity, "items@pandas", "vectors", name="encode")])
    return {"__default__": clean + encode, "cleaning": clean, "encoding": encode}


def test_maker_is_found_through_transcoding() -> None:
    assert maker_of("items@pandas", registered()) == "cleaning"
    assert maker_of("vectors", registered()) == "encoding"
    assert maker_of("raw", registered()) is None


def test_message_names_datasets_and_command() -> None:
    one = missing_inputs_message({"items@pandas": "cleaning"}, registered())
    assert (
        one == "Run `kedro run --pipelines=cleaning` first: the dataset 'items' does not exist yet."
    )
    several = missing_inputs_message(
        {"vectors": "encoding", "items@pandas": "cleaning"}, registered()
    )
    assert several == (
        "Run `kedro run --pipelines=cleaning,encoding` first: "
        "the datasets 'items', 'vectors' do not exist yet."
    )


def test_a_message_names_five_datasets_and_counts_the_others() -> None:
    many = missing_inputs_message({f"d{n}": "cleaning" for n in range(8)}, registered())
    assert "'d0', 'd1', 'd2', 'd3', 'd4' and 3 more do not exist yet" in many


def test_pipelines_come_in_the_order_of_the_registry() -> None:
    assert in_order(["encoding", None, "cleaning"], registered()) == ["cleaning", "encoding"]
