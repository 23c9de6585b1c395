"""README and documentation: they build, their links hold, and what they name exists."""

import doctest
import importlib.util
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import pytest
import yaml
from docs._extensions import project_tables
from mlflow.cli import cli as mlflow_cli
from omegaconf import OmegaConf
from pydantic import TypeAdapter
from tests.metrics.hand_case import hand_case

from longtail.cli import cli
from longtail.hybrid.parameters import ITEM_FEATURES
from longtail.metrics.scoring import WARM_ONLY, score_model
from longtail.serving.mlflow_model import SIGNATURE

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PAGES = sorted((ROOT / "docs").glob("*.md"))
ALL = [README, *PAGES]

FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^ {4}\S.*\n)+", re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
PARAMETER = re.compile(r"(?P<name>[a-z_]+(?:\.[a-z_0-9]+)+)(?:=(?P<value>.*))?")
FILE = re.compile(r"\.(?:json|parquet|npz|safetensors|html|yml|py)$")
COMMANDS = ("kedro", "make", "python", "pip", "mlflow")
FOLDERS = ("src/", "conf/", "tests/", "docs/", "benchmarks/", "notebooks/")
UNKNOWN = "PLACEHOLDER"


class Command(NamedTuple):
    """A command that a page shows, without variables and comments."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        """Return the name of the test."""
        return f"{self.page}: {' '.join(self.words)}"


def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def commands_of(page: Path) -> Iterator[Command]:
    """Yield the commands of code blocks and those in the text."""
    text = text_of(page)
    fences = list(FENCE.finditer(text))
    blocks = [fence["text"] for fence in fences if fence["language"] == "sh"]
    outside = FENCE.sub("", text)
    blocks += [match[0] for match in INDENTED.finditer(outside)]
    lines = chain.from_iterable(block.splitlines() for block in blocks)
    inline = (code for code in INLINE.findall(outside) if code.split()[0] in COMMANDS)
    for line in chain(lines, inline):
        words = shlex.split(re.sub(r"<[^>]+>", UNKNOWN, line), comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            del words[0]
        if words and words[0] != ".":
            yield Command(page.name, tuple(words))


COMMANDS_SHOWN = sorted(set(chain.from_iterable(map(commands_of, ALL))))


def parameters_of(page: Path) -> Iterator[tuple[str, str | None]]:
    """Yield name and value (None without one) of the parameters that a page names."""
    groups = {*project_tables.parameter_groups(), *project_tables.plain_parameters()}
    for code in INLINE.findall(FENCE.sub("", text_of(page))):
        match = PARAMETER.fullmatch(code)
        if match and match["name"].partition(".")[0] in groups and not FILE.search(code):
            yield match["name"], match["value"]


def validate(settings: list[str]) -> None:
    """Put ``name=value`` settings into the parameters of conf/base and validate these."""
    given = OmegaConf.to_container(OmegaConf.from_dotlist(settings))
    assert isinstance(given, dict)
    base = project_tables.configuration("base")["parameters"]
    for name, values in given.items():
        assert name in base, f"There is no parameter {name}."
        merged = OmegaConf.to_container(OmegaConf.merge({name: base[name]}, {str(name): values}))
        assert isinstance(merged, dict)
        if name in project_tables.parameter_types():
            TypeAdapter(project_tables.parameter_types()[name]).validate_python(merged[name])


def assert_exists(parameter: str) -> None:
    """Fail where there is no such parameter, or group of parameters."""
    model = re.fullmatch(r"recommenders\.settings\.(\w+)\.(\w+)", parameter)
    if model:
        assert model[2] in project_tables.recommenders()[model[1]].model_fields
        return
    known = set(project_tables.plain_parameters())
    for group in project_tables.parameter_groups().values():
        known |= set(group_names(group))
    assert parameter in known, f"There is no parameter {parameter}."


def group_names(group: project_tables.Group) -> Iterator[str]:
    yield group.name
    yield from (field.name for field in group.fields)
    for inner in group.inner:
        yield from group_names(inner)


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and MyST make them."""
    headings = HEADING.findall(FENCE.sub("", project_tables.fill(text_of(page))))
    return {
        re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings
    }


def parse(command: click.Command, arguments: list[str]) -> dict[str, Any]:
    """Parse arguments as the command would; return the given options by their flags."""
    context = click.Context(command)
    values, _, _ = command.make_parser(context).parse_args(arguments)
    flags = {param.name: param.opts[0] for param in command.params}
    return {flags[str(name)]: value for name, value in values.items() if value is not None}


def kedro_command(name: str) -> click.Command:
    """Return a command of the project or of a plugin of Kedro."""
    if name in cli.commands:
        return cli.commands[name]
    for plugin in entry_points(group="kedro.project_commands"):
        group = plugin.load()
        if name in group.commands:
            return group.commands[name]
    pytest.fail(f"There is no command `kedro {name}`.")


def check_kedro(arguments: list[str]) -> None:
    options = parse(kedro_command(arguments[0]), arguments[1:])
    if (env := options.get("--env", UNKNOWN)) != UNKNOWN:
        assert env in project_tables.environments()
    names = options.get("--pipelines", options.get("--pipeline", ""))
    known = project_tables.registered_pipelines()
    assert [name for name in names.split(",") if name and name not in known] == []
    if settings := options.get("--params"):
        for setting in settings.split(","):
            assert_exists(setting.partition("=")[0])
        validate(settings.split(","))


def check_make(arguments: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    variables = {argument.partition("=")[0] for argument in arguments if "=" in argument}
    assert variables <= set(re.findall(r"^([A-Z]+) \?=", makefile, re.MULTILINE))
    targets = re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
    assert {argument for argument in arguments if "=" not in argument} <= set(targets)


def check_python(arguments: list[str]) -> None:
    if arguments[0] == "-m":
        assert importlib.util.find_spec(arguments[1]) is not None
        return
    script = ROOT / arguments[0]
    assert script.exists()
    flags = [word for word in arguments if word.startswith("--")]
    assert [flag for flag in flags if f'"{flag}"' not in script.read_text("utf-8")] == []


def check_pip(arguments: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = re.findall(r"\[(\w+)\]", " ".join(arguments))
    assert set(extras) <= set(project["optional-dependencies"])


def check_mlflow(arguments: list[str]) -> None:
    command: click.Command = mlflow_cli
    while isinstance(command, click.Group):
        command = command.commands[arguments.pop(0)]
    parse(command, arguments)


def check_curl(arguments: list[str]) -> None:
    url, body = arguments[0], json.loads(arguments[arguments.index("-d") + 1])
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/invocations", url)
    known = {column.name for column in SIGNATURE.inputs}
    assert all(record.keys() <= known for record in body["dataframe_records"])


def check_sh(arguments: list[str]) -> None:
    assert (ROOT / arguments[0]).is_file()


def check_export(arguments: list[str]) -> None:
    assert all("=" in argument for argument in arguments[:1])


CHECKS = {
    "curl": check_curl,
    "export": check_export,
    "kedro": check_kedro,
    "make": check_make,
    "python": check_python,
    "pip": check_pip,
    "sh": check_sh,
    "mlflow": check_mlflow,
}


def test_the_pages_build_without_warnings(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-j", "1"]
    built = subprocess.run(
        [*command, str(ROOT / "docs"), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert built.returncode == 0, built.stderr
    assert {page.stem for page in PAGES} <= {page.stem for page in tmp_path.glob("*.html")}


def test_readme_is_short() -> None:
    assert len(text_of(README).splitlines()) <= 120


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    dead = []
    for link in LINK.findall(FENCE.sub("", project_tables.fill(text_of(page)))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("command", COMMANDS_SHOWN, ids=str)
def test_commands_are_not_stale(command: Command) -> None:
    assert command.words[0] in CHECKS
    CHECKS[command.words[0]](list(command.words[1:]))


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.name)
def test_parameters_that_a_page_names_exist(page: Path) -> None:
    for name, value in parameters_of(page):
        assert_exists(name)
        if value and "<" not in value:
            validate([f"{name}={value}"])


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.name)
def test_settings_in_yaml_blocks_exist(page: Path) -> None:
    for fence in FENCE.finditer(text_of(page)):
        if fence["language"] == "yaml":
            for name, values in yaml.safe_load(fence["text"]).items():
                if name in project_tables.parameter_groups():
                    for key in values:
                        assert_exists(f"{name}.{key}")
                else:
                    assert name in project_tables.configuration("base")["globals"]


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.name)
def test_paths_that_a_page_names_exist(page: Path) -> None:
    """Paths of a tutorial (conf/toys/..., a new model) are introduced by words, not in code."""
    codes = INLINE.findall(FENCE.sub("", text_of(page)))
    paths = [code for code in codes if code.startswith(FOLDERS) and "<" not in code]
    invented = ("conf/toys/", "conf/local/", "src/longtail/recommenders/collaborative/next_item.py")
    assert [
        path for path in paths if not path.startswith(invented) and not (ROOT / path).exists()
    ] == []


def pages_with_doctests() -> list[Path]:
    return [page for page in PAGES if ">>> " in text_of(page)]


@pytest.mark.parametrize("page", pages_with_doctests(), ids=lambda page: page.name)
def test_examples_give_the_numbers_shown(page: Path) -> None:
    """Python blocks run in their order; those with prompts are compared with what is shown."""
    namespace: dict[str, Any] = {"__name__": page.stem}
    runner = doctest.DocTestRunner(verbose=False)
    problems: list[str] = []
    for fence in FENCE.finditer(text_of(page)):
        if fence["language"] != "python":
            continue
        if ">>> " not in fence["text"]:
            exec(compile(fence["text"], page.name, "exec"), namespace)
            continue
        line = text_of(page).count("\n", 0, fence.start()) + 1
        test = doctest.DocTestParser().get_doctest(
            fence["text"], namespace, page.name, str(page), line
        )
        runner.run(test, out=problems.append, clear_globs=False)
        namespace.update(test.globs)
    assert "".join(problems) == ""


def test_every_dataset_is_described() -> None:
    descriptions = project_tables.dataset_descriptions().values()
    assert [given for given in descriptions if not given.keys() <= {"row", "columns"}] == []
    assert set(project_tables.dataset_descriptions()) == set(project_tables.catalog_entries())


def test_every_environment_is_described() -> None:
    section = text_of(ROOT / "docs/configuration.md").partition("## Environments")[2]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(
        project_tables.environments()
    )


def test_every_feature_of_the_gate_is_described() -> None:
    page = text_of(ROOT / "docs/hybrid.md")
    assert [name for name in ITEM_FEATURES if f"`{name}`" not in page] == []


def test_every_metric_has_a_worked_number() -> None:
    case = hand_case()
    scores = score_model(case.recommendations, case.truth, [2], np.eye(5))
    cells = [*scores.ranking, *scores.list_means, *scores.population]
    metrics = {cell.metric.removesuffix(WARM_ONLY) for cell in cells}
    sections = re.split(r"^### ", text_of(ROOT / "docs/metrics.md"), flags=re.MULTILINE)
    worked = {section.split("\n")[0] for section in sections if ">>> " in section}
    assert metrics - worked == set()


def test_every_parameter_of_the_models_and_pipelines_is_listed() -> None:
    page = project_tables.fill(text_of(ROOT / "docs/configuration.md"))
    for group in project_tables.parameter_groups().values():
        assert [field.name for field in group.all_fields() if f"`{field.name}`" not in page] == []


def test_every_parameter_says_what_it_does() -> None:
    silent = [
        field.name
        for group in project_tables.parameter_groups().values()
        for field in group.all_fields()
        if not field.schema.get("description")
    ]
    assert silent == []


@pytest.mark.parametrize("path", ["README.md", "docs/images/results.svg"])
def test_shown_numbers_are_those_of_the_results(path: str) -> None:
    shown = re.findall(r"(?<![\d.])\.\d{4}\b", (ROOT / path).read_text("utf-8"))
    results = text_of(ROOT / "docs/results.md")
    assert shown
    assert [number for number in shown if number not in results] == []


def test_rooms_are_the_packages_in_the_order_of_their_layers() -> None:
    rooms = re.findall(r"^\| `(\w+)/` \|", text_of(ROOT / "docs/contributing.md"), re.MULTILINE)
    packages = {path.parent.name for path in (ROOT / "src/longtail").glob("*/__init__.py")}
    assert set(rooms) == packages
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    height = {name: -n for n, layer in enumerate(layers) for name in re.split(r"[:|\s]+", layer)}
    assert rooms == sorted(rooms, key=height.__getitem__)


def test_glossary_is_in_order() -> None:
    terms = re.findall(r"^\| ([\w -]+) \|", text_of(ROOT / "docs/glossary.md"), re.MULTILINE)[1:]
    assert terms == sorted(terms)
