"""Rerun: every frame in three dimensions, to step through and turn around.

Entities, with `world` in metres and the world frame:

```
world/cameras/<camera>/rgb|depth   under a pinhole at the camera's pose
world/cloud                        what all cameras see, as coloured points
world/gripper                      its pose, as three axes
world/path, world/keyframes        where it goes, and where its keyframes are
world/target                       the pose that a policy wanted, as three axes
curves/gripper_open|joint_positions|joint_velocities, curves/keyframes
log, description                   what happens when; what this is
```

An episode of a policy has `actions`, marked where they ended, in the place of `keyframes`.
Timelines are `frame` and `time`, 20 frames a second. Curves hold every frame; what is seen only
those that are shown. Colours are kept as JPEG and depth as PNG in millimetres, a twentieth of the
arrays' size.
"""

import os
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from robomtl.data import Observation
from robomtl.data.atomic import write_atomically
from robomtl.exceptions import ExperimentError
from robomtl.view.footage import RATE, Footage

if TYPE_CHECKING:
    from rerun import RecordingStream

_PATIENCE = 60.0  # seconds for the viewer to take what it was sent
_JPEG_QUALITY = 85
_DEPTH_UNITS = 1000  # steps of a depth image in a metre
_CLOUD_SIDE = 48  # of 64 the cloud alone would be two thirds of the file
_TO_RERUN = np.diag([-1.0, -1.0, 1.0])  # from x left, y up, z forward to x right, y down
_PATH, _MARK, _WANTED = (90, 140, 230), (255, 60, 160), (240, 170, 30)
_CURVES = ("gripper_open", "joint_positions", "joint_velocities")


def write_recording(footage: Footage, every: int, path: Path) -> None:
    """Writes an .rrd file, which `rerun FILE` opens.

    Raises:
        ExperimentError: rerun-sdk is not installed.
    """
    rr = import_rerun()
    with TemporaryDirectory() as folder:
        file = Path(folder) / "recording.rrd"
        with rr.RecordingStream("robomtl view", recording_id=str(footage.demo.key)) as stream:
            stream.save(file, default_blueprint=_layout(footage))
            _log(stream, footage, every)
        stream.disconnect()
        write_atomically(path, file.read_bytes())


def show(footage: Footage, every: int) -> None:
    """Opens the viewer, which stays open when this returns.

    Raises:
        ExperimentError: rerun-sdk is not installed, or its viewer does not start or answer.
    """
    rr = import_rerun()
    # The viewer is a program beside this Python's, which is found only where that is activated.
    scripts = sysconfig.get_path("scripts")
    os.environ["PATH"] = os.pathsep.join((scripts, os.environ.get("PATH", os.defpath)))
    try:
        with rr.RecordingStream("robomtl view") as stream:
            stream.spawn(default_blueprint=_layout(footage))
            _log(stream, footage, every)
        stream.flush(timeout_sec=_PATIENCE)
    except RuntimeError as error:
        raise ExperimentError(
            f"the viewer does not work here ({str(error).splitlines()[0]}); --out demo.rrd writes "
            "what it would have shown"
        ) from error


def import_rerun() -> Any:
    """The optional library.

    Raises:
        ExperimentError: It is not installed; the message says how to install it.
    """
    try:
        import rerun
    except ModuleNotFoundError as error:
        raise ExperimentError(
            f"the viewer needs rerun-sdk ({error}): pip install 'robomtl[view]'. Films and "
            "pictures do without it: --out demo.mp4 or --out demo.png"
        ) from error
    return rerun


def _log(stream: "RecordingStream", footage: Footage, every: int) -> None:
    _log_always(stream, footage)
    _log_every_frame(stream, footage)
    for frame, seen in footage.observations(footage.shown(every)):
        stream.set_time("frame", sequence=frame)
        stream.set_time("time", duration=frame / RATE)
        for camera in footage.cameras:
            _log_camera(stream, f"world/cameras/{camera}", camera, seen)
        _log_cloud(stream, footage, seen)
    stream.reset_time()


def _log_always(stream: "RecordingStream", footage: Footage) -> None:
    """What holds all the time."""
    rr = import_rerun()
    demo, path = footage.demo, footage.path()
    stream.log("world", rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
    stream.log("world/path", rr.LineStrips3D([path], colors=[_PATH], radii=0.002), static=True)
    marked = [*footage.marked]
    stream.log(
        f"world/{footage.mark}s",
        rr.Points3D(
            path[marked],
            colors=_MARK,
            radii=0.008,
            labels=[f"{number}" for number, _ in enumerate(marked, start=1)],
        ),
        static=True,
    )
    stream.log("world/gripper", rr.TransformAxes3D(0.1), static=True)
    if footage.targets:
        stream.log("world/target", rr.TransformAxes3D(0.06), static=True)
    text = [
        f"# {demo.key}",
        footage.description,
        f"{footage.outcome}, {len(demo)} frames ({len(demo) / RATE:.1f} s of motion)",
        f"{footage.mark}s: {', '.join(map(str, marked)) or 'none'}",
    ]
    document = rr.TextDocument("\n\n".join(text), media_type=rr.MediaType.MARKDOWN)
    stream.log("description", document, static=True)
    joints = [f"joint {number}" for number in range(1, 8)]
    for name in _CURVES:
        names = joints if name.startswith("joint") else [name]
        stream.log(f"curves/{name}", rr.SeriesLines(names=names), static=True)
    points = rr.SeriesPoints(names=footage.mark, markers="diamond", colors=_MARK, marker_sizes=6)
    stream.log(f"curves/{footage.mark}s", points, static=True)


def _log_every_frame(stream: "RecordingStream", footage: Footage) -> None:
    """What is known of every frame without rendering it."""
    rr = import_rerun()
    demo = footage.demo
    poses = demo.column("gripper_pose")
    times = _times(range(len(demo)))
    stream.send_columns(
        "world/gripper",
        times,
        rr.Transform3D.columns(translation=poses[:, :3], quaternion=poses[:, 3:]),
    )
    for name in _CURVES:
        if name in demo.columns:
            values = demo.column(name).reshape(len(demo), -1)
            columns = rr.Scalars.columns(scalars=values.ravel())
            stream.send_columns(
                f"curves/{name}", times, columns.partition([values.shape[1]] * len(demo))
            )
    marked = [*footage.marked]
    if marked:
        opened = rr.Scalars.columns(scalars=demo.column("gripper_open")[marked])
        stream.send_columns(f"curves/{footage.mark}s", _times(marked), opened)
    if footage.targets:
        wanted = np.stack([*footage.targets.values()])
        stream.send_columns(
            "world/target",
            _times([*footage.targets]),
            rr.Transform3D.columns(translation=wanted[:, :3], quaternion=wanted[:, 3:]),
        )
    events = [(0, f"start: {footage.description or demo.key}")]
    for number, frame in enumerate(marked, start=1):
        state = "open" if demo.column("gripper_open")[frame] > 0.5 else "closed"
        events.append((frame, f"{footage.mark} {number} of {len(marked)}, gripper {state}"))
    events.append((len(demo) - 1, f"end: {footage.outcome}"))
    frames, lines = zip(*events, strict=True)
    stream.send_columns("log", _times(frames), rr.TextLog.columns(text=lines))


def _log_camera(stream: "RecordingStream", entity: str, camera: str, seen: Observation) -> None:
    rr = import_rerun()
    rgb = seen[f"{camera}_rgb"]
    height, width = rgb.shape[:2]
    if f"{camera}_camera_extrinsics" in seen:
        intrinsics = seen[f"{camera}_camera_intrinsics"].copy()
        # Rerun's cameras look along z with x to the right and y down: both focal lengths positive.
        intrinsics[[0, 1], [0, 1]] = np.abs(intrinsics[[0, 1], [0, 1]])
        pose = seen[f"{camera}_camera_extrinsics"]
        rotation = pose[:3, :3] @ _TO_RERUN
        stream.log(entity, rr.Transform3D(translation=pose[:3, 3], mat3x3=rotation))
        pinhole = rr.Pinhole(
            image_from_camera=intrinsics,
            resolution=(width, height),
            camera_xyz=rr.ViewCoordinates.RDF,
            image_plane_distance=0.15,
        )
        stream.log(entity, pinhole)
    jpeg = _encoded(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    stream.log(f"{entity}/rgb", rr.EncodedImage(contents=jpeg, media_type="image/jpeg"))
    if f"{camera}_depth" in seen:
        depth = (seen[f"{camera}_depth"] * _DEPTH_UNITS).round().clip(0, 2**16 - 1)
        png = _encoded(".png", depth.astype(np.uint16), [])
        stream.log(
            f"{entity}/depth",
            rr.EncodedDepthImage(png, media_type="image/png", meter=_DEPTH_UNITS),
        )


def _log_cloud(stream: "RecordingStream", footage: Footage, seen: Observation) -> None:
    rr = import_rerun()
    points, colours = footage.cloud(seen, _CLOUD_SIDE)
    stream.log("world/cloud", rr.Points3D(points, colors=colours, radii=0.006))


def _layout(footage: Footage) -> Any:
    """How the viewer arranges it at first."""
    import_rerun()
    import rerun.blueprint as rrb

    cameras = [f"world/cameras/{camera}" for camera in footage.cameras]
    # A depth image under a pinhole would be drawn as a second cloud, in false colours.
    scene = ["+ world/**", *(f"- {camera}/depth" for camera in cameras)]
    return rrb.Blueprint(
        rrb.Vertical(
            rrb.Horizontal(
                rrb.Spatial3DView(name="scene", origin="world", contents=scene),
                rrb.Vertical(
                    rrb.TextDocumentView(name="description", origin="description"),
                    rrb.TextLogView(name="log", origin="log"),
                ),
                column_shares=[3, 1],
            ),
            rrb.Horizontal(
                *(
                    rrb.Spatial2DView(name=camera, origin=entity, contents=f"{entity}/rgb")
                    for camera, entity in zip(footage.cameras, cameras, strict=True)
                ),
                rrb.Tabs(
                    rrb.TimeSeriesView(
                        name="gripper",
                        contents=["curves/gripper_open", f"curves/{footage.mark}s"],
                    ),
                    rrb.TimeSeriesView(name="joints", origin="curves/joint_positions"),
                    rrb.TimeSeriesView(name="joint speeds", origin="curves/joint_velocities"),
                ),
            ),
            row_shares=[2, 1],
        ),
        rrb.TimePanel(timeline="frame"),
        collapse_panels=True,
    )


def _times(frames: Sequence[int]) -> list[Any]:
    rr = import_rerun()
    seconds = [frame / RATE for frame in frames]
    return [rr.TimeColumn("frame", sequence=frames), rr.TimeColumn("time", duration=seconds)]


def _encoded(kind: str, picture: np.ndarray, parameters: list[int]) -> bytes:
    return cv2.imencode(kind, picture, parameters)[1].tobytes()
