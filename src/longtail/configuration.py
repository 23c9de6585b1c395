"""The parameters in force: the pipelines follow them, and contradictions are refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.config import OmegaConfigLoader
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines, settings

if TYPE_CHECKING:
    from longtail.pipelines.parameters import Parameters

PROJECT_ROOT = Path(__file__).resolve().parents[2]
# Kedro builds the pipelines without telling the registry which environment they are for.
_active: list[Parameters] = []


def current_parameters() -> Parameters:
    """Return the parameters of the newest context, else those of the default environment."""
    if not _active:
        source = str(PROJECT_ROOT / settings.CONF_SOURCE)
        env = os.environ.get("KEDRO_ENV")
        loader = OmegaConfigLoader(source, env=env, **settings.CONFIG_LOADER_ARGS)
        use_parameters(loader["parameters"])
    return _active[0]


def use_parameters(raw: dict[str, Any]) -> None:
    """Set the active parameters and have Kedro rebuild the pipelines from them.

    Args:
        raw: as the configuration gives them.

    Raises:
        UserError: some are not valid.
    """
    # Imported here: the command line starts without what the pipelines import.
    from longtail.pipelines.parameters import read_parameters  # noqa: PLC0415

    _active[:] = [read_parameters(raw)]
    pipelines.configure("longtail.pipeline_registry")


class ConfigurationHooks:
    """Sets the active parameters and refuses contradictions among them."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Read the parameters of the environment, with those of the command line."""
        # Imported here: the command line starts without what these import.
        from longtail.pipelines.parameters import read_as  # noqa: PLC0415
        from longtail.tracking.tracked_run import TrackingParameters  # noqa: PLC0415

        use_parameters(context.config_loader["parameters"])
        read_as(TrackingParameters, context.config_loader["tracking"])

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self) -> None:
        """Refuse parameters that contradict each other, before anything is written.

        Raises:
            UserError: with one sentence for each contradiction.
        """
        from longtail.pipelines.contradictions import check_parameters  # noqa: PLC0415

        check_parameters(current_parameters())
