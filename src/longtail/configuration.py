"""The parameters in force: the pipelines follow them, and contradictions are refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines, settings

PROJECT_ROOT = Path(__file__).resolve().parents[2]
_in_force: dict[str, Any] = {}


def current_parameters() -> dict[str, Any]:
    """Return the parameters of the newest context, else those of the default environment."""
    if _in_force:
        return _in_force
    source = str(PROJECT_ROOT / settings.CONF_SOURCE)
    env = os.environ.get("KEDRO_ENV")
    parameters: dict[str, Any] = OmegaConfigLoader(source, env=env, **settings.CONFIG_LOADER_ARGS)[
        "parameters"
    ]
    return parameters


def use_parameters(parameters: dict[str, Any]) -> None:
    """Put parameters in force and have the registry make the pipelines anew from them."""
    _in_force.clear()
    _in_force.update(parameters)
    pipelines.configure("longtail.pipeline_registry")


class ConfigurationHooks:
    """Puts the parameters of a context in force and refuses contradictions among them."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Read the parameters of the environment, with those of the command line."""
        use_parameters(context.config_loader["parameters"])

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self) -> None:
        """Refuse parameters that contradict each other, before anything is written.

        Raises:
            UserError: with one sentence for each contradiction.
        """
        # Imported here: commands that run nothing start without what the pipelines import.
        from longtail.pipelines.contradictions import check_parameters  # noqa: PLC0415

        check_parameters(_in_force)
