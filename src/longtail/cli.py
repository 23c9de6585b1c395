"""The commands of the project.

What the commands need is imported inside them, so that ``kedro --version`` stays fast.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.io.core import VersionNotFoundError
from kedro.utils import find_kedro_project
from kedro.validation.exceptions import DataValidationError

from longtail.errors import UserError

PROJECT_ROOT = Path(__file__).resolve().parents[2]


@click.group(name="longtail")
def cli() -> None:
    """Commands of the project."""


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """Show an error that the user can fix as one sentence instead of a traceback.

    Raises:
        click.ClickException: with the sentence.
    """
    try:
        yield
    except click.ClickException:
        raise
    except Exception as error:
        message = user_message(error)
        if message is None:
            raise
        raise click.ClickException(message) from error


ONLY_CHANGED = click.Option(
    ["--only-changed"],
    is_flag=True,
    help="Skip nodes whose code, parameters and inputs have not changed since an earlier run."
    " Also resumes a failed or killed run.",
)


@contextmanager
def refusals_in_mlflow(options: Mapping[str, Any]) -> Iterator[None]:
    """Log a run that is refused before it starts as a failed run.

    Args:
        options: of the command.
    """
    from longtail import settings  # noqa: PLC0415
    from longtail.hooks.tracking import TrackingHooks  # noqa: PLC0415

    (tracking,) = (hooks for hooks in settings.HOOKS if isinstance(hooks, TrackingHooks))
    tracking.opened = False
    try:
        yield
    except Exception as error:
        message = user_message(error)
        if message is not None and not tracking.opened:
            _log_refusal(options, message)
        raise


def _log_refusal(options: Mapping[str, Any], message: str) -> None:
    from kedro.config import OmegaConfigLoader  # noqa: PLC0415

    from longtail import settings  # noqa: PLC0415
    from longtail.runs.records import name_of_data  # noqa: PLC0415
    from longtail.tracking.refusals import log_refusal  # noqa: PLC0415

    source = str(settings.PROJECT_ROOT / "conf")
    loader = OmegaConfigLoader(source, env=options["env"], **settings.CONFIG_LOADER_ARGS)
    # Whatever goes wrong here, the message is what the user has to read.
    with suppress(Exception):
        try:
            data_name = name_of_data(loader["globals"])
        except UserError:
            data_name = "unknown"
        pipelines, given = options["pipelines"] or [], options["params"] or {}
        env = options["env"] or "local"
        log_refusal(loader["mlflow"], data_name, env, pipelines, given, message)


def split_parameters(value: str | dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of the option --params; commas in brackets and quotes are values.

    Raises:
        click.BadParameter: with an example.
    """
    from omegaconf import OmegaConf  # noqa: PLC0415
    from omegaconf.errors import OmegaConfBaseException  # noqa: PLC0415
    from yaml import YAMLError  # noqa: PLC0415

    if isinstance(value, dict):
        return value
    # A quote opens a text at the beginning of a value only: an apostrophe stays one.
    whole = r"""(?:=\s*'[^']*'|=\s*"[^"]*"|\[[^\]]*\]|\{[^}]*\}|[^,])+"""
    entries = [entry.strip() for entry in re.findall(whole, value)]
    try:
        if not all(name.strip() and sign for name, sign, _ in (e.partition("=") for e in entries)):
            raise ValueError
        container = OmegaConf.to_container(OmegaConf.from_dotlist(entries))
    except (ValueError, YAMLError, OmegaConfBaseException) as error:
        raise click.BadParameter(
            f"{value} is not a list of name=value pairs separated by commas. Put lists into"
            " brackets and all into quotes: --params='evaluation.ks=[10,20],tuning.trials=5'."
        ) from error
    assert isinstance(container, dict)
    return {str(name): entry for name, entry in container.items()}


def _existing_environment(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Refuse an environment that does not exist."""
    folder = (find_kedro_project(Path.cwd()) or PROJECT_ROOT) / "conf"
    if value and not (folder / value).is_dir():
        known = sorted(path.name for path in folder.iterdir() if path.is_dir())
        raise click.BadParameter(f"There is no environment '{value}': {_nearest(value, known)}")
    return value


def _existing_pipelines(context: click.Context, names: Sequence[str]) -> None:
    """Refuse pipelines that do not exist; their packages have the names of the pipelines."""
    folder = Path(__file__).parent / "pipelines"
    known = sorted(path.parent.name for path in folder.glob("*/pipeline.py"))
    for name in names:
        if name not in (*known, "__default__"):
            sentence = f"There is no pipeline '{name}': {_nearest(name, known)}"
            raise click.UsageError(sentence, context)


def _nearest(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."


def _checked(option: click.Parameter) -> click.Parameter:
    """Return an option of Kedro's own command with the checks of this project."""
    option = copy(option)
    if option.name == "params":
        option.callback = lambda _, __, value: split_parameters(value)
    elif option.name == "env":
        option.callback = _existing_environment
    return option


OPTIONS = [_checked(option) for option in kedro_run.params]


@cli.command(name="run", params=[*OPTIONS, ONLY_CHANGED], help=kedro_run.help)
@errors_as_sentences()
def run(only_changed: bool, **options: Any) -> Any:
    """Run the pipelines with the options of Kedro's own command."""
    _existing_pipelines(click.get_current_context(), options["pipelines"] or ())
    if only_changed:
        if options["runner"] or options["only_missing_outputs"]:
            raise click.UsageError(
                "--only-changed uses its own runner: omit --runner and --only-missing-outputs."
            )
        options["runner"] = "longtail.runs.runner.OnlyChangedRunner"
    assert kedro_run.callback is not None
    with refusals_in_mlflow(options):
        return kedro_run.callback(**options)


ENVIRONMENT = click.option(
    "--env",
    "-e",
    default=None,
    callback=_existing_environment,
    help="Environment of the configuration, by default `local`.",
)
OF_EVERY_RUN = [option for option in OPTIONS if option.name in ("pipelines", "params")]


@cli.command(name="repeat", params=OF_EVERY_RUN)
@ENVIRONMENT
@click.option(
    "--origins",
    default=3,
    show_default=True,
    type=click.IntRange(min=1),
    help="Origins in time: the first is the whole log, each next one ends where the test period"
    " of the one before begins.",
)
@click.option(
    "--seeds",
    default=3,
    show_default=True,
    type=click.IntRange(min=1),
    help="Seeds: the first are the configured ones, each next one adds 1 to all of them.",
)
@errors_as_sentences()
def repeat(
    env: str | None, origins: int, seeds: int, pipelines: list[str], params: dict[str, Any]
) -> None:
    """Run the pipelines for each origin and seed, and show the spread of the results."""
    _existing_pipelines(click.get_current_context(), pipelines or ())
    from longtail.repeats import run_repeats  # noqa: PLC0415

    with refusals_in_mlflow({"env": env, "pipelines": pipelines, "params": params}):
        run_repeats(origins, seeds, env, pipelines, params)


@cli.command(name="runs")
@ENVIRONMENT
@click.option("--host", default=None, help="Where to listen, by default as mlflow.yml says.")
@click.option(
    "--port", default=None, help="Which port to listen at, by default as mlflow.yml says."
)
@errors_as_sentences()
def runs(env: str | None, host: str | None, port: str | None) -> None:
    """Open the runs in MLflow's interface."""
    from longtail.private_interfaces import experiment_id_of  # noqa: PLC0415
    from longtail.project import mlflow_configuration  # noqa: PLC0415
    from longtail.tracking.experiment_page import page  # noqa: PLC0415
    from longtail.tracking.server import serve  # noqa: PLC0415

    configuration, client = mlflow_configuration(env)
    status = serve(
        configuration.server.mlflow_tracking_uri,
        page(client, experiment_id_of(configuration)),
        host or configuration.ui.host,
        port or configuration.ui.port,
        lambda address: click.echo(f"\nRuns: {address}\n"),
    )
    if status:
        raise click.exceptions.Exit(status)


@cli.command(name="leaderboard")
@ENVIRONMENT
@click.option("--costs", is_flag=True, help="Print what each model costs beside its quality.")
@errors_as_sentences()
def leaderboard(env: str | None, costs: bool) -> None:
    """Print the newest leaderboard, or what its models cost."""
    from longtail.pipelines.evaluation.params import EvaluationParameters  # noqa: PLC0415
    from longtail.project import open_project  # noqa: PLC0415
    from longtail.reporting.terminal import print_costs, print_leaderboard  # noqa: PLC0415
    from longtail.runs.costs import costs_behind  # noqa: PLC0415
    from longtail.runs.input_checks import check_intact, command  # noqa: PLC0415

    catalog, records = open_project(env)
    if not catalog.exists("leaderboard"):
        wanted = command([], env or "")
        raise click.ClickException(f"There is no leaderboard yet: run `{wanted}` first.")
    check_intact(["leaderboard", "headlines"], catalog, records, env or "")
    rows = catalog.load("leaderboard")
    parameters = EvaluationParameters.model_validate(catalog.load("params:evaluation"))
    if costs:
        dataset: Any = catalog["leaderboard"]
        version = dataset.resolve_load_version()
        found = costs_behind("leaderboard", version, records)
        print_costs(rows, found, parameters.primary_k)
    else:
        headlines = catalog.load("headlines")
        print_leaderboard(
            rows, headlines, parameters.primary_k, parameters.baseline, parameters.relevance
        )


@cli.command(name="report")
@ENVIRONMENT
@click.option("--no-browser", is_flag=True, help="Print the path only.")
@errors_as_sentences()
def open_report(env: str | None, no_browser: bool) -> None:
    """Open the newest report in a browser where there is one, and print its path."""
    from longtail.private_interfaces import load_path  # noqa: PLC0415
    from longtail.project import open_project  # noqa: PLC0415
    from longtail.runs.input_checks import check_intact, command  # noqa: PLC0415

    catalog, records = open_project(env)
    name = "evaluation_report"
    if not catalog.exists(name):
        wanted = command([], env or "")
        raise click.ClickException(f"There is no report yet: run `{wanted}` first.")
    check_intact([name], catalog, records, env or "")
    dataset: Any = catalog[name]
    path = load_path(dataset).resolve()
    click.echo(path)
    if not no_browser and _has_screen():
        webbrowser.open(path.as_uri())


def _has_screen() -> bool:
    """Whether a browser has a screen; without one, Python would open a browser in the terminal."""
    return sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )


@cli.command(name="data-profile")
@ENVIRONMENT
@errors_as_sentences()
def data_profile(env: str | None) -> None:
    """Print the newest profile of the data."""
    from longtail.project import open_project  # noqa: PLC0415
    from longtail.reporting.profile_terminal import print_profile  # noqa: PLC0415
    from longtail.runs.input_checks import check_intact, command  # noqa: PLC0415

    catalog, records = open_project(env)
    if not catalog.exists("data_profile"):
        wanted = command(["behaviour_cleaning"], env or "")
        raise click.ClickException(f"There is no profile yet: run `{wanted}` first.")
    check_intact(["data_profile"], catalog, records, env or "")
    print_profile(catalog.load("data_profile"))


@cli.command(name="new-data")
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path))
@errors_as_sentences()
def new_data(name: str, folder: Path) -> None:
    """Make the environment NAME for the data in FOLDER, and say what is understood of them.

    FOLDER holds the files interactions and items, as CSV or Parquet. No dataset is written.
    """
    from longtail.new_data import make_environment  # noqa: PLC0415

    made = make_environment(name, folder)
    click.echo(f"Wrote {made}.")
    _show_data(name)


@cli.command(name="check-data")
@ENVIRONMENT
@errors_as_sentences()
def check_data(env: str | None) -> None:
    """Say what is understood of an environment's data; no dataset is written."""
    _show_data(env)


def _show_data(env: str | None) -> None:
    from longtail.new_data import say_what_is_understood  # noqa: PLC0415
    from longtail.runs.input_checks import command  # noqa: PLC0415

    option = f" --env={env}" if env else ""
    try:
        say_what_is_understood(env, click.echo)
    except Exception as error:
        if (sentence := user_message(error)) is None:
            raise
        again = f"Look again with `kedro check-data{option}`."
        raise click.ClickException(f"{sentence}\n{again}") from error
    click.echo("Lines with a question mark are doubts; each names the parameter that settles it:")
    click.echo(f"  kedro check-data{option}   reads the files again")
    click.echo(f"  {command([], env or '')}   fits and compares the models")


@cli.command(name="clean-runs")
@ENVIRONMENT
@click.option(
    "--keep", required=True, type=click.IntRange(min=1), help="Number of complete runs to keep."
)
@click.option("--yes", is_flag=True, help="Remove them; without it they are only listed.")
@errors_as_sentences()
def clean_runs(env: str | None, keep: int, yes: bool) -> None:
    """List old versions of an environment's datasets and MLflow artifacts, or remove them.

    Kept: the newest complete runs, runs that go on, the newest version of each dataset, the runs of
    the models that are served, and all versions that these were made from. Parameters and metrics
    in MLflow stay in any case.
    """
    from longtail.project import data_root, mlflow_client  # noqa: PLC0415
    from longtail.runs.old_versions import old_versions, remove  # noqa: PLC0415
    from longtail.runs.records import RunRecords  # noqa: PLC0415
    from longtail.tracking.old_artifacts import (  # noqa: PLC0415
        remove_artifacts,
        tracked_runs,
        versions_of_models,
    )

    client, root = mlflow_client(env), data_root(env)
    old = old_versions(root, RunRecords(root), keep, versions_of_models(client))
    tracked = tracked_runs(client, old.versions)
    for version in old.versions:
        click.echo(f"  {version}")
    what = (
        f"{len(old.versions)} runs: {len(old.folders)} files of {old.size / 1e6:,.0f} MB below"
        f" {root}, and the artifacts of {len(tracked)} MLflow runs"
    )
    if not yes:
        click.echo(f"Can be removed: {what}. {old.kept} runs stay.")
        click.echo("Nothing was removed: add --yes (with make: YES=1) to remove them.")
        return
    for run in tracked:
        remove_artifacts(client, run)
    remove(old, root)
    click.echo(f"Removed {what}. {old.kept} runs stay.")


@cli.command(name="reproduce")
@click.argument("run_id")
@errors_as_sentences()
def reproduce(run_id: str) -> None:
    """Repeat an MLflow run and compare its leaderboard with the recorded one."""
    from longtail import settings  # noqa: PLC0415
    from longtail.project import mlflow_client  # noqa: PLC0415
    from longtail.runs.reproduce import report  # noqa: PLC0415
    from longtail.runs.reproduce import reproduce as repeat  # noqa: PLC0415

    # A terminated process cleans up as after Ctrl-C: the copy of the project is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    comparison = repeat(settings.PROJECT_ROOT, mlflow_client(), run_id)
    click.echo(report(comparison))
    if not comparison.identical:
        raise click.exceptions.Exit(1)


@cli.command(name="baseline")
@click.argument("run_id")
@errors_as_sentences()
def baseline(run_id: str) -> None:
    """Make an MLflow run the baseline that later runs log their differences to.

    It holds for runs of the same data set and protocol.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    from longtail.project import mlflow_client  # noqa: PLC0415
    from longtail.tracking.baseline import mark_baseline  # noqa: PLC0415

    try:
        run = mark_baseline(mlflow_client(), run_id)
    except MlflowException as error:
        raise click.ClickException(
            f"There is no MLflow run {run_id}: `make mlflow` shows the runs and their ids."
        ) from error
    tags = run.data.tags
    click.echo(
        f"'{run.info.run_name}' is the baseline for {tags['dataset']} under the protocol"
        f" {tags['protocol']}: later runs log their differences to it."
    )


@cli.command(name="serve")
@ENVIRONMENT
@click.option("--port", "-p", default=5001, show_default=True, help="Port of the server.")
@click.option(
    "--model",
    "-m",
    default=None,
    help="Model of MLflow, such as models:/longtail-toys/3; by default the champion of the"
    " environment's data set, else its newest version.",
)
@errors_as_sentences()
def serve(env: str | None, port: int, model: str | None) -> None:
    """Serve the hybrid over HTTP, by MLflow."""
    from longtail.project import data_name, mlflow_client  # noqa: PLC0415
    from longtail.tracking.model_registry import model_to_serve  # noqa: PLC0415

    client = mlflow_client(env)
    uri = model or model_to_serve(client, data_name(env), env or "")
    click.echo(f"Serving {uri} at http://127.0.0.1:{port}/invocations (Ctrl-C ends it) ...")
    # MLflow starts uvicorn by name: that of this environment, which need not be activated.
    folder = str(Path(sys.executable).parent)
    variables = os.environ | {
        "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}",
        "MLFLOW_TRACKING_URI": client.tracking_uri,
    }
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", uri]
    options = ["--host", "127.0.0.1", "--port", str(port), "--env-manager", "local"]
    os.execve(sys.executable, [*command, *options], variables)


def user_message(error: BaseException) -> str | None:
    """Return the sentence to show for an error, None if it is a defect and needs its traceback.

    Kedro and OmegaConf wrap the errors of datasets and resolvers, so causes are searched too.
    """
    for cause in _causes(error):
        if isinstance(cause, UserError | DataValidationError | VersionNotFoundError):
            return str(cause)
        if message := storage_message(cause) or memory_message(cause):
            return message
    return None


_REMEDIES = {
    "No space left on device": "free space on the disk",
    "Disk quota exceeded": "free space on the disk",
    "File too large": "allow larger files",
    "Read-only file system": "make the folder writable",
    "Permission denied": "make the folder writable",
}
_FILE_OF_DATASET = re.compile(r"filepath=\w+\('(?P<path>[^']+)'\)")
_HIDDEN_FOLDER = re.compile(r"/\.[^/]+\.staged(?=/)")


def storage_message(error: BaseException) -> str | None:
    """Return what to do if a file could not be saved or read, None for any other error.

    Libraries wrap the operating system's error in their own and keep its words.
    """
    text = str(error)
    reason = next((words for words in _REMEDIES if words in text), None)
    if reason is None:
        return None
    named = getattr(error, "filename", None)
    file = _FILE_OF_DATASET.search(text)
    what = file["path"] if file else str(named) if named else "A result"
    # Until it is whole, a dataset is saved in a hidden folder beside its place.
    what = _HIDDEN_FOLDER.sub("", what)
    if reason == "Permission denied" and _was_read(text, named):
        return (
            f"{what} could not be read: permission denied. Give the user who runs Longtail the"
            " right to read it."
        )
    return (
        f"{what} could not be saved: {reason.lower()}. Finished nodes are kept:"
        f" {_REMEDIES[reason]}, then resume with `kedro run --only-changed`."
    )


def _was_read(text: str, path: object) -> bool:
    """Whether a permission that is denied is the one to read, not the one to write."""
    if "Failed while loading data" in text:
        return True
    return isinstance(path, str) and os.access(path, os.F_OK) and not os.access(path, os.R_OK)


def memory_message(error: BaseException) -> str | None:
    """Return what to do if the engine's memory was not enough, None for any other error."""
    if type(error).__name__ != "OutOfMemoryException":
        return None
    return (
        "DuckDB needs more memory than its limit allows: raise engine.memory_limit in globals.yml,"
        " or run cleaning on Spark (`--env spark`)."
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and everything it was raised from."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__
