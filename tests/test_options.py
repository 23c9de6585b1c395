"""Options of the commands: lists, and names that do not exist."""

from typing import Any

import click
import pytest

from longtail.cli import cli, split_parameters


@pytest.mark.parametrize(
    ("value", "parameters"),
    [
        ("", {}),
        ("a=1,b.c=x", {"a": 1, "b": {"c": "x"}}),
        ("evaluation.ks=[5,10],seed=3", {"evaluation": {"ks": [5, 10]}, "seed": 3}),
        ("a={x: 1, y: [2, 3]}", {"a": {"x": 1, "y": [2, 3]}}),
        ("a.pattern='x,y',b=2", {"a": {"pattern": "x,y"}, "b": 2}),
        ("a=don't,b=2", {"a": "don't", "b": 2}),
        ("a=null", {"a": None}),
    ],
)
def test_lists_and_texts_with_commas_are_values(value: str, parameters: dict[str, Any]) -> None:
    assert split_parameters(value) == parameters


@pytest.mark.parametrize("value", ["a=1,b", "=3", "a=[1,2"])
def test_what_is_no_parameter_is_refused_with_an_example(value: str) -> None:
    with pytest.raises(click.BadParameter, match=r"--params='evaluation\.ks=\[10,20\]"):
        split_parameters(value)


def run(*arguments: str) -> int:
    """Run a command of the project; return the exit code."""
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize("command", ["run", "repeat", "leaderboard", "serve"])
def test_an_environment_that_does_not_exist_is_refused(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command, "--env", "canonicl") == 2
    said = capsys.readouterr().err
    assert "There is no environment 'canonicl': did you mean canonical?" in " ".join(said.split())


@pytest.mark.parametrize("command", ["run", "repeat"])
def test_a_pipeline_that_does_not_exist_is_refused(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command, "--pipelines", "evaluatoin") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "There is no pipeline 'evaluatoin': did you mean evaluation?" in said
