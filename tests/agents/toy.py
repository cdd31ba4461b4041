"""A toy world for the agents' tests: boxes on a table, ray-traced in numpy, with known keyframes.

It has the columns of `KeyframeDataset.load()`, and takes a second to make.
"""

from __future__ import annotations

import numpy as np

CAMERAS = ("left_shoulder", "right_shoulder", "wrist")
TASKS = ("grasp_cube", "grasp_bar")
TABLE = 0.75

# Camera to world: position, rotation rows; field of view in degrees.
_VIEWS = {
    "left_shoulder": (
        (-0.175, 0.2, 1.98),
        (
            (0.173648, 0.892539, 0.416198),
            (0.984808, -0.157379, -0.073387),
            (0, 0.422619, -0.906308),
        ),
        40.0,
    ),
    "right_shoulder": (
        (-0.175, -0.2, 1.98),
        (
            (-0.173648, 0.892539, 0.416198),
            (0.984808, 0.157379, 0.073387),
            (0, 0.422619, -0.906308),
        ),
        40.0,
    ),
    "wrist": ((0.25, 0.0, 1.5), ((0, 1, 0), (1, 0, 0), (0, 0, -1)), 60.0),
}


def camera(name: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return intrinsics (3, 3) and extrinsics (4, 4)."""
    position, rotation, fov = _VIEWS[name]
    focal = size / (2 * np.tan(np.radians(fov) / 2))
    centre = (size - 1) / 2
    extrinsics = np.eye(4)
    extrinsics[:3, :3], extrinsics[:3, 3] = rotation, position
    return np.array([[-focal, 0, centre], [0, -focal, centre], [0, 0, 1.0]]), extrinsics


def render(boxes: list, name: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return colours (size, size, 3) uint8 and depth (size, size) float32 in [m].

    Args:
        boxes: Tuples of centre (3,), half extents (3,), yaw and colour (3,).
        name: Camera.
        size: Side of the image in pixels.
    """
    intrinsics, extrinsics = camera(name, size)
    u, v = np.meshgrid(np.arange(size), np.arange(size))
    rays = np.stack(
        [
            (u - intrinsics[0, 2]) / intrinsics[0, 0],
            (v - intrinsics[1, 2]) / intrinsics[1, 1],
            np.ones_like(u, dtype=float),
        ],
        axis=-1,
    )
    rays = rays @ extrinsics[:3, :3].T
    origin = extrinsics[:3, 3]
    depth = (TABLE - origin[2]) / rays[..., 2]
    rgb = np.full((size, size, 3), (200, 170, 130), dtype=np.uint8)
    for centre, half, yaw, colour in boxes:
        c, s = np.cos(yaw), np.sin(yaw)
        turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
        local, start = rays @ turn.T, turn @ (origin - centre)
        with np.errstate(divide="ignore"):
            near = (-np.sign(local) * half - start) / local
            far = (np.sign(local) * half - start) / local
        enter, face = near.max(-1), near.argmax(-1)
        hit = (enter < far.min(-1)) & (enter < depth)
        depth = np.where(hit, enter, depth)
        shade = np.array([0.7, 0.85, 1.0])[face]
        rgb = np.where(hit[..., None], (shade[..., None] * colour).astype(np.uint8), rgb)
    return rgb, depth.astype(np.float32)


def downward(yaw: float) -> np.ndarray:
    """Return the orientation xyzw, w >= 0, of a gripper pointing down, turned by `yaw`."""
    return np.array([np.cos(yaw / 2), np.sin(yaw / 2), 0.0, 0.0])


def toy_data(episodes: int, *, size: int = 64, seed: int = 0) -> dict[str, np.ndarray]:
    """Return samples of two tasks of three stages each: go above, grasp, lift.

    Task 0 is about a red cube (quarter-turn symmetry), task 1 about a green bar (half-turn); the
    other box is there too.
    """
    rng = np.random.default_rng(seed)
    rows: list[dict] = []
    for episode in range(episodes):
        task = episode % 2
        while True:
            xy = rng.uniform((0.05, -0.35), (0.45, 0.35), (2, 2))
            if np.linalg.norm(xy[0] - xy[1]) > 0.15:
                break
        yaws = rng.uniform(-np.pi, np.pi, 2)
        halves = np.array([[0.025, 0.025, 0.025], [0.015, 0.06, 0.02]])
        colours = ((220, 40, 40), (40, 200, 60))
        centres = np.concatenate((xy, TABLE + halves[:, 2:]), axis=1)
        boxes = [(centres[k], halves[k], yaws[k], colours[k]) for k in range(2)]
        hand = np.array([0.28, 0.0, 1.3])
        images = {}
        for name in CAMERAS:
            images[f"{name}_rgb"], images[f"{name}_depth"] = render(boxes, name, size)
            images[f"{name}_camera_intrinsics"], images[f"{name}_camera_extrinsics"] = camera(
                name, size
            )
        rotation = downward(yaws[task])
        start = np.concatenate((hand, downward(0.0)))
        above = np.concatenate((centres[task] + (0, 0, 0.08), rotation))
        grasp = np.concatenate((centres[task], rotation))
        lift = np.concatenate((centres[task] + (0, 0, 0.25), rotation))
        for stage, (now, then, opened) in enumerate(
            ((start, above, 1.0), (above, grasp, 0.0), (grasp, lift, 0.0))
        ):
            rows.append(
                {
                    **images,
                    "gripper_pose": now,
                    "gripper_open": float(stage < 2),
                    "task": task,
                    "stage": stage,
                    "action": np.append(then, opened),
                    "symmetry": (4, 2)[task],
                }
            )
    return {key: np.stack([row[key] for row in rows]) for key in rows[0]}


def write_toy_dataset(path, episodes: int, *, size: int = 32, seed: int = 0) -> None:
    """Write the toy world as a keyframe dataset."""
    from robomtl.data import DemoKey, KeyframeWriter

    data = toy_data(episodes, size=size, seed=seed)
    frames = np.arange(len(data["task"])) % 3
    extra = {
        "frame": frames,
        "gripper_joint_positions": np.zeros((len(frames), 2)),
        "joint_positions": np.zeros((len(frames), 7)),
    }
    data = {**data, **extra}
    task = data.pop("task")
    with KeyframeWriter(path, TASKS, CAMERAS, size) as writer:
        for episode in range(episodes):
            rows = slice(3 * episode, 3 * episode + 3)
            key = DemoKey(TASKS[task[rows.start]], 0, episode)
            writer.append(key, {name: column[rows] for name, column in data.items()})
        writer.finish()
