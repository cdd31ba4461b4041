"""From a folder to what is to be seen in it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from robomtl.agents import KeyframePolicy
from robomtl.data import (
    DataError,
    Demo,
    DemoKey,
    InvalidDemoError,
    Observation,
    find_keyframes,
    open_demos,
)
from robomtl.environments import other_simulator
from robomtl.envs import TabletopEnv
from robomtl.evaluation import FIRST_SEED, policy_path
from robomtl.exceptions import ExperimentError
from robomtl.progress import console
from robomtl.view.config import ViewConfig
from robomtl.view.footage import Footage
from robomtl.view.rollout import play

CAMERAS = ("left_shoulder", "right_shoulder", "wrist")
"""What a demonstration without pictures is rendered through, unless told otherwise."""


@contextmanager
def open_footage(config: ViewConfig) -> Iterator[Footage]:
    """What the config asks for; pictures can be taken while the `with` block runs.

    Raises:
        ExperimentError: The source is neither a run nor a folder of demonstrations, or has nothing
            of this task, variation and seed; the message lists what it has. Or a policy's task is
            not of the tabletop.
    """
    run = (config.source / "checkpoints" / "policy.pt").is_file()
    with (_of_run if run else _of_store)(config) as found:
        yield found


@contextmanager
def _of_store(config: ViewConfig) -> Iterator[Footage]:
    try:
        store = open_demos(config.source)
    except DataError as error:
        raise ExperimentError(
            f"{config.source} is no run (`robomtl train` would have made checkpoints/policy.pt in "
            f"it), and {error}"
        ) from error
    demo = store.load(*_first(config, store.keys()))
    with _pictures(config, demo, CAMERAS) as (cameras, observe):
        yield Footage(
            demo=demo,
            cameras=cameras,
            marked=_keyframes(demo),
            mark="keyframe",
            outcome="demonstration, success",
            observe=observe,
        )


@contextmanager
def _of_run(config: ViewConfig) -> Iterator[Footage]:
    policy = KeyframePolicy.load(policy_path(config.source))
    task = config.task or policy.tasks[0]
    if task not in policy.tasks:
        raise ExperimentError(
            f"the policy was not trained on {task!r}; its tasks: {', '.join(policy.tasks)}"
        )
    if other := other_simulator(task, "tabletop"):
        raise ExperimentError(
            f"policies are played on the tabletop, and {task} is a task of {other}: `robomtl "
            f"evaluate {config.source} --simulator {other}` measures this one"
        )
    seed = FIRST_SEED if config.seed is None else config.seed
    rollout = play(policy, task, config.variation or 0, seed)
    with _pictures(config, rollout.demo, policy.cameras) as (cameras, observe):
        yield Footage(
            demo=rollout.demo,
            cameras=cameras,
            marked=rollout.ends,
            mark="action",
            outcome=rollout.outcome,
            observe=observe,
            targets=rollout.targets,
        )


def _first(config: ViewConfig, keys: Sequence[DemoKey]) -> DemoKey:
    """The first key that fits the config."""
    for name in ("task", "variation", "seed"):
        wanted = getattr(config, name)
        have = sorted({getattr(key, name) for key in keys})
        if wanted is not None and wanted not in have:
            of = "" if name == "task" else f" of {keys[0].task}"
            raise ExperimentError(
                f"{config.source} has no demonstration{of} of {name} {wanted!r}; it has: "
                f"{_listed(have)}"
            )
        chosen = have[0] if wanted is None else wanted
        keys = [key for key in keys if getattr(key, name) == chosen]
    return keys[0]


def _listed(values: Sequence[object], most: int = 12) -> str:
    shown = ", ".join(map(str, values[:most]))
    return shown if len(values) <= most else f"{shown}, … {values[-1]} ({len(values)} in all)"


def _keyframes(demo: Demo) -> tuple[int, ...]:
    try:
        return tuple(find_keyframes(demo))
    except InvalidDemoError as error:
        console.print(f"No keyframes are marked: {error}", markup=False)
        return ()


@contextmanager
def _pictures(
    config: ViewConfig, demo: Demo, cameras: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Callable[[int], Observation]]]:
    """Cameras, and what takes a frame's pictures: those recorded, else rendered from the states."""
    recorded = tuple(name[: -len("_rgb")] for name in demo.columns if name.endswith("_rgb"))
    if recorded:
        missing = [camera for camera in config.cameras if camera not in recorded]
        if missing:
            raise ExperimentError(
                f"{demo.key} has no pictures of {', '.join(missing)}; it has: {', '.join(recorded)}"
            )
        yield config.cameras or recorded, demo.__getitem__
    elif demo.states is None:
        raise ExperimentError(
            f"{demo.key} has neither pictures nor simulator states to render them from"
        )
    else:
        chosen = config.cameras or cameras
        env = TabletopEnv(
            demo.task,
            variation=demo.variation,
            cameras=chosen,
            image_size=config.image_size,
            look=config.look,
        )
        try:
            yield chosen, partial(env.observe, demo)
        finally:
            env.close()
