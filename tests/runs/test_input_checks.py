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
    one = missing_inputs_message({"items@pandas": "cleaning"})
    assert (
        one == "The dataset 'items' does not exist yet. Run `kedro run --pipelines=cleaning` first."
    )
    several = missing_inputs_message({"items@pandas": "cleaning", "vectors": "encoding"})
    assert several == (
        "The datasets 'items', 'vectors' do not exist yet. "
        "Run `kedro run --pipelines=cleaning,encoding` first."
    )


def test_pipelines_come_after_those_that_they_read() -> None:
    assert in_order(registered()) == ["cleaning", "encoding"]
