import pytest

from longtail.studies.written_reasons import facts_of, is_supported

REASON = {
    "title": "Oak lamp, 40 W",
    "own_title_by_behaviour": "Pine desk",
    "own_title_by_text": "Pine lamp",
    "keywords": "lamp, pine wood",
}
FACTS = (
    "Recommended item: Oak lamp, 40 W\nThe customer chose: Pine desk\n"
    "The customer chose: Pine lamp\nBoth are about: lamp, pine wood"
)


def test_facts_are_what_the_reasons_say() -> None:
    assert facts_of(REASON) == FACTS
    same = REASON | {"own_title_by_text": "Pine desk", "keywords": ""}
    assert facts_of(same).splitlines() == [
        "Recommended item: Oak lamp, 40 W",
        "The customer chose: Pine desk",
    ]


def test_without_an_own_item_there_are_no_facts() -> None:
    assert facts_of(REASON | {"own_title_by_behaviour": "", "own_title_by_text": ""}) == ""


@pytest.mark.parametrize(
    "sentence",
    [
        "The Oak lamp is recommended because the customer chose the Pine desk.",
        "It is a 40 W LAMP of wood!",
    ],
)
def test_sentences_of_given_words_are_supported(sentence: str) -> None:
    assert is_supported(sentence, FACTS)


@pytest.mark.parametrize(
    "sentence",
    [
        "The Oak lamp is cheap.",
        "The Oak lamp has 60 W.",
        "The Oak lamp has two desks.",
        "The customer never chose the Oak lamp.",
        "The Oak lamp is recommended because",
        "It is because of this.",
        "",
    ],
)
def test_sentences_with_other_words_or_none_are_rejected(sentence: str) -> None:
    assert not is_supported(sentence, FACTS)
