"""The project's commands: ``kedro run`` with errors shown as sentences, ``kedro reproduce``."""

import re
from collections.abc import Iterator
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.io.core import VersionNotFoundError
from kedro.validation.exceptions import DataValidationError, ParameterValidationError

from longtail.errors import UserError


@click.group(name="longtail")
def cli() -> None:
    """Commands of the project."""


ONLY_CHANGED = click.Option(
    ["--only-changed"],
    is_flag=True,
    help="Skip nodes whose code, parameters and inputs are as in an earlier run, and say which."
    " Also goes on where a failed or killed run ended.",
)


@cli.command(name="run", params=[*kedro_run.params, ONLY_CHANGED], help=kedro_run.help)
def run(only_changed: bool, **options: Any) -> Any:
    """Run the pipelines; what the user can mend is one sentence instead of a traceback."""
    if only_changed:
        if options["runner"] or options["only_missing_outputs"]:
            raise click.UsageError(
                "--only-changed has a runner of its own: leave out --runner and"
                " --only-missing-outputs."
            )
        options["runner"] = "longtail.runner.OnlyChangedRunner"
    try:
        return kedro_run.callback(**options)  # type: ignore[misc]
    except Exception as error:
        message = user_message(error)
        if message is None:
            raise
        raise click.ClickException(message) from error


@cli.command(name="reproduce")
@click.argument("run_id")
def reproduce(run_id: str) -> None:
    """Make the leaderboard of an MLflow run again and say whether every number is identical."""
    from longtail import settings  # noqa: PLC0415
    from longtail.project import mlflow_client  # noqa: PLC0415
    from longtail.reproduce import report  # noqa: PLC0415
    from longtail.reproduce import reproduce as make_again  # noqa: PLC0415

    try:
        comparison = make_again(settings.PROJECT_ROOT, mlflow_client(), run_id)
    except UserError as error:
        raise click.ClickException(str(error)) from error
    click.echo(report(comparison))
    if not comparison.identical:
        raise click.exceptions.Exit(1)


@cli.command(name="baseline")
@click.argument("run_id")
def baseline(run_id: str) -> None:
    """Mark an MLflow run: later runs of its data set and protocol log their difference to it."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    from longtail.hooks.extras import mark_baseline  # noqa: PLC0415
    from longtail.project import mlflow_client  # noqa: PLC0415

    try:
        run = mark_baseline(mlflow_client(), run_id)
    except UserError as error:
        raise click.ClickException(str(error)) from error
    except MlflowException as error:
        raise click.ClickException(
            f"There is no MLflow run {run_id}: `make mlflow` shows the runs and their ids."
        ) from error
    tags = run.data.tags
    click.echo(
        f"'{run.info.run_name}' is the baseline for {tags['dataset']} under the protocol"
        f" {tags['protocol']}: later runs log their differences to it."
    )


def user_message(error: BaseException) -> str | None:
    """Return the sentence to show for an error, None where the traceback says more.

    Kedro and OmegaConf wrap the errors of datasets and resolvers, so the causes are searched too.
    """
    for cause in _causes(error):
        if isinstance(cause, ParameterValidationError):
            return parameter_message(str(cause))
        if isinstance(cause, UserError | DataValidationError | VersionNotFoundError):
            return str(cause)
        if message := storage_message(str(cause)):
            return message
    return None


_REMEDIES = {
    "No space left on device": "free space on the disk",
    "Disk quota exceeded": "free space on the disk",
    "File too large": "allow larger files",
    "Read-only file system": "make the folder writable",
    "Permission denied": "make the folder writable",
}
_SAVED_FILE = re.compile(r"filepath=\w+\('(?P<path>[^']+)'\)")


def storage_message(text: str) -> str | None:
    """Return what to do where results could not be saved, None for any other error.

    Libraries wrap what the operating system says in errors of their own and keep its words.
    """
    reason = next((words for words in _REMEDIES if words in text), None)
    if reason is None:
        return None
    file = _SAVED_FILE.search(text)
    what = file["path"] if file else "A result"
    return (
        f"{what} could not be saved: {reason.lower()}. All that had been finished is kept:"
        f" {_REMEDIES[reason]}, then `kedro run --only-changed` goes on from there."
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and everything it was raised from."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


_MODEL = re.compile(
    r"parameter '(?P<parameter>[^']+)': \d+ validation errors? for \w+\n(?P<body>.*)", re.DOTALL
)
_FIELD = re.compile(
    r"^(?P<field>\S+)\n"
    r" +(?P<reason>.+?) \[type=\w+, input_value=(?P<value>.*), input_type=\w+\]$",
    re.MULTILINE,
)


def parameter_message(text: str) -> str:
    """Turn Kedro's report on wrong parameters into one sentence for each of them.

    Kedro keeps only the text of the pydantic errors; a text in another form is returned as it is.
    """
    sentences = [
        f"Parameter {model['parameter']}.{field['field']} = {field['value']} is not valid: "
        f"{field['reason'][0].lower()}{field['reason'][1:]}."
        for part in text.split("\n- ")
        if (model := _MODEL.search(part))
        for field in _FIELD.finditer(model["body"])
    ]
    return "\n".join(sentences) or text
