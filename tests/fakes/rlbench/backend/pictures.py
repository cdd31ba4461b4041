"""What RLBench's cameras would see of a table, a ball and a gripper: rays against shapes."""

import numpy as np

TABLE = 0.75  # metres
BALL = 0.04
NEAR = 0.01
FAR = {
    "left_shoulder": 3.2,
    "right_shoulder": 3.2,
    "overhead": 3.3,
    "front": 4.5,
    "wrist": 3.5,
}
_VIEW = {name: 60.0 if name == "wrist" else 40.0 for name in FAR}  # degrees
_S, _C = 0.173648, 0.984808
_MOUNTS = {
    "left_shoulder": (
        (-0.175, 0.2, 1.98),
        ((_S, 0.892539, 0.416198), (_C, -0.157379, -0.073387), (0, 0.422619, -0.906308)),
    ),
    "right_shoulder": (
        (-0.175, -0.2, 1.98),
        ((-_S, 0.892539, 0.416198), (_C, 0.157379, 0.073387), (0, 0.422619, -0.906308)),
    ),
    "overhead": (
        (-0.175, 0, 2.43),
        ((0, 0.906308, 0.422619), (1, 0, 0), (0, 0.422619, -0.906308)),
    ),
    "front": (
        (1.35, 0, 1.58),
        ((0, -0.422618, -0.906308), (-1, 0, 0), (0, 0.906308, -0.422618)),
    ),
}


def extrinsics(name, tip):
    matrix = np.eye(4)
    if name == "wrist":  # it looks straight down from a little behind the tip
        matrix[:3, :3] = [[0, 1, 0], [1, 0, 0], [0, 0, -1]]
        matrix[:3, 3] = tip[:3] + [0.05, 0, 0.1]
    else:
        matrix[:3, 3], matrix[:3, :3] = _MOUNTS[name]
    return matrix


def intrinsics(name, size):
    focal = -size / (2 * np.tan(np.radians(_VIEW[name]) / 2))
    return np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]])


def picture(name, size, tip, ball, task, variation):
    """Colours (size, size, 3) and depth (size, size) in metres."""
    camera, lens = extrinsics(name, tip), intrinsics(name, size)
    v, u = np.mgrid[:size, :size]
    x, y = (u - lens[0, 2]) / lens[0, 0], (v - lens[1, 2]) / lens[1, 1]
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ camera[:3, :3].T
    origin = camera[:3, 3]
    with np.errstate(divide="ignore"):
        depth = (TABLE - origin[2]) / rays[..., 2]
    depth = np.where((depth < NEAR) | (depth > FAR[name]), FAR[name], depth)
    colours = np.where((depth < FAR[name])[..., None], (200, 170, 120), (40, 90, 90))
    things = ((ball, task.colour(variation)), (tip[:3] + [0, 0, 2 * BALL], (240, 240, 240)))
    for centre, colour in things:
        hit = _sphere(rays, origin - centre)
        nearer = (hit > NEAR) & (hit < depth)
        depth = np.where(nearer, hit, depth)
        colours = np.where(nearer[..., None], colour, colours)
    return colours.astype(np.uint8), depth.astype(np.float32)


def _sphere(rays, offset):
    """Depth at which each ray meets the ball; infinite where it does not."""
    a = (rays**2).sum(-1)
    b = (rays * offset).sum(-1)
    c = (offset**2).sum() - BALL**2
    inside = b**2 - a * c
    return np.where(inside > 0, (-b - np.sqrt(np.maximum(inside, 0))) / a, np.inf)
