"""The environment that a worker process keeps open, and which simulator has which task."""

from robomtl import envs

_kept: dict[tuple[object, ...], envs.RobotEnv] = {}


def kept_environment(
    task: str,
    variation: int,
    cameras: tuple[str, ...] = (),
    image_size: int = 128,
    simulator: envs.Simulator = "tabletop",
) -> envs.RobotEnv:
    """As `robomtl.envs.make`, but the same object again until other settings are asked for.

    One is kept, because jobs come sorted by task, and each holds a model and an OpenGL context.
    """
    settings = (task, variation, cameras, image_size, simulator)
    if settings not in _kept:
        env = envs.make(
            task, simulator, variation=variation, cameras=cameras, image_size=image_size
        )
        # Only now, because environments of RLBench share a simulator that ends with the last.
        while _kept:
            _kept.popitem()[1].close()
        _kept[settings] = env
    return _kept[settings]


def kept_tabletop(
    task: str, variation: int, cameras: tuple[str, ...] = (), image_size: int = 128
) -> envs.TabletopEnv:
    """As `kept_environment`, on the tabletop, which can draw the states of demonstrations."""
    env = kept_environment(task, variation, cameras, image_size)
    assert isinstance(env, envs.TabletopEnv)
    return env


def other_simulator(task: str, simulator: envs.Simulator) -> envs.Simulator | None:
    """Where a task takes place that a simulator does not have; None if it has it, or none does.

    Raises:
        MissingSimulatorError: The simulator is not installed.
    """
    try:
        envs.variation_count(task, simulator)
    except envs.UnknownNameError:
        return next((other for other in envs.SIMULATORS if _has(other, task)), None)
    return None


def _has(simulator: envs.Simulator, task: str) -> bool:
    try:
        return envs.variation_count(task, simulator) > 0
    except (envs.UnknownNameError, envs.MissingSimulatorError):
        return False
