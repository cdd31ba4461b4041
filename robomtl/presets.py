"""Three sizes of the whole job."""

from pathlib import Path

from robomtl.quickstart import QuickstartConfig

PRESETS: dict[str, QuickstartConfig] = {
    # Does everything work? Under a minute; learns nothing.
    "smoke": QuickstartConfig(
        out=Path("runs/smoke"),
        tasks=("reach_target", "push_button"),
        demos_per_task=2,
        iterations=4,
        batch_size=4,
        episodes=2,
        look="fast",
    ),
    # A policy that works on a few tasks, in about ten minutes on two cores.
    "quick": QuickstartConfig(
        out=Path("runs/quickstart"),
        tasks=("reach_target", "push_button", "pick_and_lift"),
        demos_per_task=50,
        iterations=1500,
        episodes=50,
    ),
    # The experiment of the Auto-λ paper: ten tasks, equal weighting.
    "paper": QuickstartConfig(out=Path("runs/paper")),
}
