"""The report's HTML."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from robomtl.report.showcase import Showcase


def render_page(
    *,
    run: str,
    summary: Mapping[str, Any] | None,
    curves: Sequence[str],
    policy_tasks: Sequence[str],
    tasks: Sequence[Showcase],
    cameras: Sequence[str],
    versions: Mapping[str, str],
    config: Mapping[str, Any],
) -> str:
    """One self-contained page: nothing in it refers to anything outside it.

    Args:
        run: Name of the run's folder.
        summary: What `robomtl evaluate` found; None where it has not run yet.
        curves: What changed while training, `<svg>` elements.
        policy_tasks: What the policy learned.
        tasks: What there is to see of those tasks that could be filmed.
        cameras: Those of the policy.
        versions: Versions of what was used.
        config: The training's config.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string(files(__package__).joinpath("template.html").read_text())
    return template.render(
        run=run,
        summary=summary,
        summary_text=json.dumps(summary, indent=2),
        curves=curves,
        policy_tasks=policy_tasks,
        tasks=tasks,
        not_filmed=[name for name in policy_tasks if name not in {task.name for task in tasks}],
        cameras=cameras,
        versions=versions,
        config=json.dumps(config, indent=2),
    )
