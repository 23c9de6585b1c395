import pandas as pd

from longtail.text.item_text import add_understanding, compose_item_text


def test_filled_fields_become_sentences() -> None:
    items = pd.DataFrame(
        {"title": ["Oak lamp", "Rug."], "brand": ["Lumi", ""], "description": [" Warm. ", None]}
    )
    texts = compose_item_text(items, ["title", "brand", "description"], 100)
    assert texts.tolist() == ["Oak lamp. Lumi. Warm.", "Rug."]


def test_item_without_any_text_gets_none() -> None:
    items = pd.DataFrame({"title": ["", None]})
    assert compose_item_text(items, ["title"], 100).tolist() == ["", ""]


def test_text_is_cut_at_the_end() -> None:
    items = pd.DataFrame({"title": ["abc"], "brand": ["def"]})
    assert compose_item_text(items, ["title", "brand"], 6).tolist() == ["abc. d"]


def test_keywords_and_summaries_are_prepended() -> None:
    texts = pd.Series(["Oak lamp.", "Rug."])
    understanding = pd.DataFrame({"keywords": ["oak, lamp", ""], "summary": ["A lamp", "A rug"]})
    joined = add_understanding(texts, understanding, ("keywords", "summary"))
    assert joined.tolist() == ["oak, lamp. A lamp. Oak lamp.", "A rug. Rug."]
    assert add_understanding(texts, understanding, ()).tolist() == texts.tolist()
