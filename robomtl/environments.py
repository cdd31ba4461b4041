"""The environment that a worker process keeps open."""

from robomtl import envs

_kept: dict[tuple[object, ...], envs.TabletopEnv] = {}


def kept_environment(
    task: str, variation: int, cameras: tuple[str, ...] = (), image_size: int = 128
) -> envs.TabletopEnv:
    """As `robomtl.envs.make`, but the same object again until other settings are asked for.

    One is kept, because jobs come sorted by task, and each holds a model and an OpenGL context.
    """
    settings = (task, variation, cameras, image_size)
    if settings not in _kept:
        while _kept:
            _kept.popitem()[1].close()
        _kept[settings] = envs.make(
            task, variation=variation, cameras=cameras, image_size=image_size
        )
    return _kept[settings]
