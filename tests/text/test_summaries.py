from pathlib import Path

from longtail.arrays import Arrays
from longtail.text.generator import GeneratorParameters, TextGenerator
from longtail.text.summaries import one_line, summarise


def test_only_new_texts_are_summarised(tiny_generator: Path) -> None:
    parameters = GeneratorParameters(model=str(tiny_generator), new_tokens=4)
    store: dict[str, Arrays] = {}
    first = summarise(
        ["red lamp", "", "blue rug", "red lamp"], TextGenerator(parameters, "g"), store
    )
    assert first[1] == ""
    assert first[0] == first[3]
    assert len(store) == 2
    # Whoever opened a model that is not there would fail.
    again = TextGenerator(parameters, "g")
    again.__dict__["loaded"] = None
    assert summarise(["blue rug", "red lamp"], again, store) == [first[2], first[0]]


def test_one_line_is_the_first_non_blank_one() -> None:
    assert one_line('\n  "A red lamp."\nIt is old.') == "A red lamp."
    assert one_line(" \n") == ""
