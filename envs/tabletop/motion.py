"""How fast the arm runs along a joint path."""

from __future__ import annotations

import numpy as np

from robomtl.envs.tabletop.poses import Array

#: Limits of the fastest joint, in rad/s and rad/s^2: the speed at which RLBench's demonstrations
#: peak, and the acceleration that it allows.
MAX_VELOCITY, MAX_ACCELERATION = 0.84, 4.0


def time_path(path: Array, timestep: float, frame_time: float) -> tuple[Array, Array]:
    """Run a joint path from rest to rest with a trapezoidal speed.

    The whole motion lasts a whole number of frames. It brakes so late that only its last frame is
    slow, if the path is longer than 0.025 rad: keyframe discovery takes slow frames for stops, and
    a motion must have one.

    Args:
        path: (N, 7) joint positions in radians, N >= 2.
        timestep: Time between two references, in seconds.
        frame_time: Time between two recorded frames, in seconds.

    Returns:
        (T, 7) reference positions in radians and (T, 7) reference velocities in rad/s; the last
        ones are the path's end, at rest.
    """
    # Length is the way of the fastest joint, so that limits on it are limits on that joint.
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(path, axis=0)).max(axis=1))])
    total = length[-1]
    if total < 1e-9:
        steps = round(frame_time / timestep)
        return np.repeat(path[-1:], steps, axis=0), np.zeros((steps, path.shape[1]))
    cruise = min(MAX_VELOCITY, np.sqrt(MAX_ACCELERATION * total))
    duration = total / cruise + cruise / MAX_ACCELERATION
    frames = max(1, int(np.ceil(duration / frame_time - 1e-9)))
    # Stretched to whole frames, the same shape stays within both limits.
    stretch = frames * frame_time / duration
    speed, acceleration = cruise / stretch, MAX_ACCELERATION / stretch**2
    ramp = speed / acceleration

    time = np.arange(1, frames * round(frame_time / timestep) + 1) * timestep
    end = frames * frame_time
    left = np.clip(end - time, 0, None)
    way = np.where(
        time < ramp,
        0.5 * acceleration * time**2,
        np.where(left < ramp, total - 0.5 * acceleration * left**2, speed * (time - 0.5 * ramp)),
    )
    rate = np.minimum(speed, acceleration * np.minimum(time, left))

    keep = np.concatenate([[True], np.diff(length) > 1e-12])
    length, path = length[keep], path[keep]
    segment = np.clip(np.searchsorted(length, way, side="right") - 1, 0, len(length) - 2)
    slope = np.diff(path, axis=0) / np.diff(length)[:, None]
    positions = path[segment] + slope[segment] * (way - length[segment])[:, None]
    return positions, slope[segment] * rate[:, None]
