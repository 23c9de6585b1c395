from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from longtail.errors import UserError
from longtail.text.generator import GeneratorParameters, TextGenerator


def generator(model: Path | str, **settings: int | str) -> TextGenerator:
    parameters = {"precision": "float32", "new_tokens": 4, "batch_size": 2} | settings
    return TextGenerator(GeneratorParameters(model=str(model), **parameters), "some.generator")


PROMPTS = ["red lamp", "blue rug . red rug", "red"]


def written(by: TextGenerator, prompts: list[str]) -> list[str]:
    answers = dict(chain.from_iterable(by.write(prompts, "Answers")))
    return [answers[place] for place in range(len(prompts))]


def test_answers_do_not_depend_on_the_batch(tiny_generator: Path) -> None:
    together = written(generator(tiny_generator), PROMPTS)
    alone = [written(generator(tiny_generator), [prompt])[0] for prompt in PROMPTS]
    assert together == alone
    assert any(together)


def test_answers_are_no_longer_than_wanted(tiny_generator: Path) -> None:
    (answer,) = written(generator(tiny_generator, new_tokens=1), ["red lamp"])
    assert len(answer.split()) <= 1


def test_odds_of_a_yes_are_those_of_the_next_word(tiny_generator: Path) -> None:
    odds = generator(tiny_generator).yes_log_odds(PROMPTS)
    model = AutoModelForCausalLM.from_pretrained(tiny_generator, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(tiny_generator)
    tokens = tokenizer("red lamp\nAnswer:", return_tensors="pt", return_token_type_ids=False)
    chances = torch.log_softmax(model(**tokens).logits[0, -1], dim=0)
    yes, no = tokenizer.convert_tokens_to_ids(["yes", "no"])
    assert odds[0] == pytest.approx((chances[yes] - chances[no]).item(), abs=1e-5)
    assert len(np.unique(odds)) == len(PROMPTS)


def test_fingerprint_depends_on_what_changes_the_answers(tiny_generator: Path) -> None:
    first = generator(tiny_generator)
    assert first.fingerprint == generator(tiny_generator, batch_size=1).fingerprint
    assert first.fingerprint != generator(tiny_generator, new_tokens=5).fingerprint


def test_a_model_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"parameter some\.generator\.model"):
        generator(tmp_path).yes_log_odds(["red"])
    with pytest.raises(UserError, match=r"some\.generator\.model names the package"):
        generator("package:no_such_weights")
