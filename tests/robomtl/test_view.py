"""What a person sees with `robomtl view` is what was recorded, or what the policy did."""

import io
import json
import os
import sys
import sysconfig
from itertools import combinations

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from robomtl.cli import main
from robomtl.data import CAMERAS as DATA_CAMERAS
from robomtl.data import Demo, DemoStore, find_keyframes, point_cloud, write_rlbench_demo
from robomtl.data.counted import counted
from robomtl.envs import TabletopEnv
from robomtl.view import ViewConfig, glance, view
from robomtl.view.footage import RATE, REACH
from robomtl.view.rollout import play
from robomtl.view.source import open_footage

CAMERAS = ("left_shoulder", "wrist")
SIZE = 32
PINK = np.array([255, 60, 160])


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """One demonstration of one task, without pictures."""
    env = TabletopEnv("reach_target", cameras=())
    store = DemoStore(tmp_path_factory.mktemp("view") / "demos")
    for seed in (3, 4):
        store.add(env.collect_demo(seed))
    return store


@pytest.fixture(scope="module")
def demo(store):
    return store.load("reach_target", 0, 3)


def config(store, out, **more):
    return ViewConfig(store.path, out=out, cameras=CAMERAS, image_size=SIZE, **more)


def film(path):
    """The pictures of a film, (H, W, 3) RGB, and its pictures per second."""
    capture = cv2.VideoCapture(str(path))
    pictures = []
    while (read := capture.read())[0]:
        pictures.append(read[1][..., ::-1])
    return pictures, capture.get(cv2.CAP_PROP_FPS)


class Recording:
    """An .rrd file as Rerun itself reads it."""

    def __init__(self, path):
        from rerun.chunk import RrdReader

        self._chunks = [
            (chunk.entity_path.strip("/"), chunk.is_static, chunk.to_record_batch())
            for chunk in RrdReader(path).stream()
        ]

    def entities(self):
        return {entity for entity, _, _ in self._chunks}

    def values(self, entity, component):
        """What an entity's component is at each frame; at None what it always is."""
        found = {}
        for name, static, batch in self._chunks:
            if name == entity and component in batch.schema.names:
                frames = [None] if static else batch.column("frame").to_pylist()
                found |= dict(zip(frames, batch.column(component).to_pylist(), strict=True))
        return found

    def seconds(self, entity):
        return {
            frame: time.total_seconds()
            for name, static, batch in self._chunks
            if name == entity and not static
            for frame, time in zip(
                batch.column("frame").to_pylist(), batch.column("time").to_pylist(), strict=True
            )
        }


@pytest.fixture(scope="module")
def recording(store, tmp_path_factory):
    return Recording(view(config(store, tmp_path_factory.mktemp("rrd") / "demo.rrd", seed=3)))


def decoded(blob):
    return np.asarray(Image.open(io.BytesIO(bytes(blob[0]))))


def test_a_recording_holds_every_frame_of_everything(recording, demo):
    frames = set(range(len(demo)))
    for camera in CAMERAS:
        assert set(recording.values(f"world/cameras/{camera}/rgb", "EncodedImage:blob")) == frames
        depth = recording.values(f"world/cameras/{camera}/depth", "EncodedDepthImage:blob")
        assert set(depth) == frames
    assert set(recording.values("world/cloud", "Points3D:positions")) == frames
    for name in ("gripper_open", "joint_positions", "joint_velocities"):
        curve = recording.values(f"curves/{name}", "Scalars:scalars")
        assert np.array_equal([curve[i] for i in frames], demo.column(name).reshape(len(demo), -1))
    seconds = recording.seconds("world/gripper")
    assert seconds == pytest.approx({frame: frame / 20 for frame in frames})


def test_a_recording_has_the_grippers_path_and_its_keyframes(recording, demo):
    poses = demo.column("gripper_pose")
    places = recording.values("world/gripper", "Transform3D:translation")
    turns = recording.values("world/gripper", "Transform3D:quaternion")
    assert np.allclose([places[i][0] for i in range(len(demo))], poses[:, :3], atol=1e-6)
    assert np.allclose([turns[i][0] for i in range(len(demo))], poses[:, 3:], atol=1e-6)
    (strip,) = recording.values("world/path", "LineStrips3D:strips")[None]
    assert np.allclose(strip, poses[:, :3], atol=1e-6)
    keyframes = find_keyframes(demo)
    marks = recording.values("world/keyframes", "Points3D:positions")[None]
    assert np.allclose(marks, poses[keyframes, :3], atol=1e-6)
    assert list(recording.values("curves/keyframes", "Scalars:scalars")) == [*keyframes]
    assert "world/target" not in recording.entities()


def test_a_recording_says_what_it_shows(recording, demo):
    ((text,),) = recording.values("description", "TextDocument:text").values()
    for words in ("reach_target variation 0 seed 3", demo.descriptions[0], "success"):
        assert words in text
    lines = recording.values("log", "TextLog:text")
    assert "success" in lines[len(demo) - 1][0]


def test_pixels_of_a_recording_lie_where_the_cameras_saw_them(recording, store, demo):
    """Rerun's own way from a pixel to the world, written out, against `point_cloud`."""
    with open_footage(config(store, None, seed=3)) as footage:
        for frame in (0, len(demo) - 1):
            seen = footage.observe(frame)
            for camera in CAMERAS:
                entity = f"world/cameras/{camera}"
                # Rerun keeps matrices column by column.
                pinhole, turn = (
                    np.reshape(recording.values(entity, name)[frame][0], (3, 3)).T
                    for name in ("Pinhole:image_from_camera", "Transform3D:mat3x3")
                )
                place = recording.values(entity, "Transform3D:translation")[frame][0]
                png = recording.values(f"{entity}/depth", "EncodedDepthImage:blob")[frame]
                depth = decoded(png) / 1000
                assert np.abs(depth - seen[f"{camera}_depth"]).max() <= 0.0005 + 1e-6
                v, u = np.mgrid[:SIZE, :SIZE]
                rays = np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(pinhole).T
                points = (rays * depth[..., None]) @ turn.T + place
                true = point_cloud(
                    seen[f"{camera}_depth"],
                    seen[f"{camera}_camera_intrinsics"],
                    seen[f"{camera}_camera_extrinsics"],
                )
                assert np.abs(points - true).max() < 0.001
                jpeg = recording.values(f"{entity}/rgb", "EncodedImage:blob")[frame]
                difference = decoded(jpeg).astype(int) - seen[f"{camera}_rgb"]
                assert np.abs(difference).mean() < 6


def test_the_cloud_is_what_the_cameras_see_near_the_path(store, demo):
    cameras = ("front", "overhead")  # which also see the floor and the walls
    settings = ViewConfig(store.path, seed=3, cameras=cameras, image_size=SIZE)
    with open_footage(settings) as footage:
        seen = footage.observe(0)
        cloud, colours = footage.cloud(seen, side=SIZE)
        fewer, _ = footage.cloud(seen, side=SIZE // 2)
    everything = np.concatenate(
        [
            point_cloud(
                seen[f"{camera}_depth"],
                seen[f"{camera}_camera_intrinsics"],
                seen[f"{camera}_camera_extrinsics"],
            ).reshape(-1, 3)
            for camera in cameras
        ]
    )
    path = demo.column("gripper_pose")[:, :3]
    beyond = np.maximum(path.min(axis=0) - everything, everything - path.max(axis=0)).max(axis=1)
    near = beyond < REACH
    assert 0 < near.sum() < len(everything)
    assert np.array_equal(cloud, everything[near])
    assert np.array_equal(
        colours, np.concatenate([seen[f"{camera}_rgb"].reshape(-1, 3) for camera in cameras])[near]
    )
    assert len(cloud) / 5 < len(fewer) < len(cloud) / 3


def test_a_recordings_cloud_is_that_of_the_cameras(recording, store):
    with open_footage(config(store, None, seed=3)) as footage:
        points, colours = footage.cloud(footage.observe(0), side=SIZE)
    assert np.array_equal(recording.values("world/cloud", "Points3D:positions")[0], points)
    packed = np.array(recording.values("world/cloud", "Points3D:colors")[0])
    assert np.array_equal(packed >> 8, colours @ np.array([65536, 256, 1]))  # 0xRRGGBBAA


@pytest.fixture(scope="module")
def whole_film(store, tmp_path_factory):
    return film(view(config(store, tmp_path_factory.mktemp("mp4") / "demo.mp4", seed=3)))


def test_a_film_has_all_frames_at_their_pace(whole_film, demo):
    pictures, rate = whole_film
    assert len(pictures) == len(demo)
    assert rate == pytest.approx(20, rel=0.01)
    for picture in pictures:
        assert picture.shape[1] == 2 * 256  # two cameras side by side
        assert picture[:256].std() > 10


@pytest.mark.parametrize(("kind", "frames"), [("mp4", 5), ("rrd", 5), ("png", 2)])
def test_rendering_shows_how_far_it_is(store, demo, tmp_path, printed, kind, frames):
    how = ("--image-size", SIZE, "--every", len(demo) // 4, "--out", tmp_path / f"demo.{kind}")
    assert f"frames: {frames} of {frames}" in printed("view", store.path, *how)


@pytest.mark.parametrize("every", [7, 1000])
def test_a_film_of_every_nth_frame_ends_with_the_last(store, demo, tmp_path, every):
    pictures, rate = film(view(config(store, tmp_path / "demo.mp4", seed=3, every=every)))
    assert len(pictures) == len(range(0, len(demo) - 1, every)) + 1
    assert rate == pytest.approx(20 / every, rel=0.01)


def test_a_film_marks_keyframes(whole_film, demo):
    pictures, _ = whole_film
    keyframes = find_keyframes(demo)
    corners = np.array([picture[:3, :3].mean(axis=(0, 1)) for picture in pictures])
    marked = np.abs(corners - PINK).max(axis=1) < 60
    assert marked[keyframes].all()
    assert not marked[: keyframes[0]].any()


def test_captions_of_a_film_are_as_wide_as_they_need(tmp_path, monkeypatch):
    columns = {
        "gripper_pose": np.tile([0.3, 0, 1, 0, 1, 0, 0], (9, 1)).astype(float),
        "gripper_open": 1.0 * (np.arange(9) > 4),
        "joint_velocities": np.ones((9, 7)),
        "wrist_rgb": np.zeros((9, 20, 20, 3), np.uint8),
    }
    words = ["take the umbrella out of the umbrella stand without touching the stand itself"]
    store = DemoStore(tmp_path / "demos")
    store.add(Demo(columns, task="own_task", variation=0, seed=0, descriptions=words))
    put, written = cv2.putText, []

    def watched(canvas, text, place, font, size, *more):
        put(canvas, text, place, font, size, *more)
        (width, _), _ = cv2.getTextSize(text, font, size, 1)
        written.append((text, canvas.shape[1] - place[0] - width))

    monkeypatch.setattr(cv2, "putText", watched)
    pictures, _ = film(view(ViewConfig(store.path, out=tmp_path / "demo.mp4")))
    assert len(pictures) == 9
    assert {words[0], "wrist"} < {text for text, _ in written}
    assert all(room >= 0 for _, room in written)


@pytest.fixture
def figure(monkeypatch):
    """The figure that is drawn next."""
    figure = Figure()

    def make(**settings):
        figure.__init__(**settings)
        return figure

    monkeypatch.setattr(glance, "Figure", make)
    return figure


def test_a_picture_shows_start_and_keyframes(store, demo, tmp_path, figure):
    path = view(config(store, tmp_path / "deep" / "demo.png", seed=3))
    assert np.asarray(Image.open(path).convert("RGB")).std() > 20
    keyframes = find_keyframes(demo)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    wanted = [f"keyframe {i}, {frame / RATE:.1f} s" for i, frame in enumerate(keyframes, start=1)]
    assert titles == ["start, 0.0 s", *wanted]
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    with open_footage(config(store, None, seed=3)) as footage:
        seen = [footage.observe(frame) for frame in (0, *keyframes)]
    recorded = [observation[f"{camera}_rgb"] for camera in CAMERAS for observation in seen]
    assert all(np.array_equal(*pair) for pair in zip(shown, recorded, strict=True))


@pytest.fixture
def crowded(tmp_path):
    """A store of one demonstration with keyframes that are close together: the gripper's."""
    steps = np.arange(24)
    columns = {
        "gripper_pose": np.stack([0.02 * steps, *np.tile([[0.2, 1, 0, 1, 0, 0]], (24, 1)).T], 1),
        "gripper_open": 1.0 * (steps % 2),
        "joint_velocities": np.ones((24, 7)),
        "wrist_rgb": np.zeros((24, 20, 24, 3), np.uint8),
    }
    store = DemoStore(tmp_path / "crowded")
    store.add(Demo(columns, task="own_task", variation=0, seed=3))
    return store


@pytest.mark.parametrize("source", ["store", "crowded"])
def test_nothing_in_a_picture_is_cut_off_and_no_number_covers_another(
    source, request, tmp_path, figure
):
    view(ViewConfig(request.getfixturevalue(source).path, out=tmp_path / "demo.png"))
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    labels = [text for text in texts if text.get_text() in ("x [m]", "y [m]", "z [m]")]
    assert len(labels) == 3
    for text in labels:
        box = text.get_window_extent()
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1
    numbers = [text.get_window_extent() for text in texts if text.get_text().isdigit()]
    assert len(numbers) == (1 if source == "store" else 22)
    for one, two in combinations(numbers, 2):
        assert not one.overlaps(two)


def test_a_picture_without_depth_shows_the_surroundings_of_the_path_alone(
    crowded, tmp_path, figure
):
    view(ViewConfig(crowded.path, out=tmp_path / "demo.png"))
    (space,) = (axes for axes in figure.axes if axes.name == "3d")
    assert 0.7 < space.get_zlim()[0] < 1 < space.get_zlim()[1] < 1.3


@pytest.fixture
def pictured(tmp_path):
    """A store of one demonstration that has pictures of its own, and nothing to render."""
    rng = np.random.default_rng(0)
    frames = 6
    columns = {
        "gripper_pose": np.tile([0.3, 0, 1, 0, 1, 0, 0], (frames, 1)).astype(float),
        "gripper_open": np.ones(frames),
        "wrist_rgb": rng.integers(0, 255, (frames, 20, 24, 3), dtype=np.uint8),
    }
    store = DemoStore(tmp_path / "pictured")
    store.add(Demo(columns, task="own_task", variation=2, seed=5))
    return store


def test_recorded_pictures_are_shown_as_they_are(pictured, tmp_path, capsys):
    demo = pictured.load("own_task", 2, 5)
    with open_footage(ViewConfig(pictured.path)) as footage:
        assert footage.cameras == ("wrist",)
        for frame, seen in footage.observations(range(len(demo))):
            assert np.array_equal(seen.wrist_rgb, demo[frame].wrist_rgb)
    for kind, least in (("mp4", 1000), ("png", 1000), ("rrd", 1000)):
        path = view(ViewConfig(pictured.path, out=tmp_path / f"demo.{kind}"))
        assert path.stat().st_size > least
    # There are no joint velocities to find keyframes by: that is said, not passed over.
    assert "joint_velocities" in capsys.readouterr().out


def test_cameras_that_were_not_recorded_are_refused(pictured, refused, tmp_path):
    out = ("--out", tmp_path / "demo.png")
    assert "it has: wrist" in refused("view", pictured.path, "--cameras", "front", *out)


def test_rlbenchs_saved_demonstrations_are_shown_too(tmp_path):
    rng = np.random.default_rng(1)
    frames = 3
    columns = {
        "gripper_pose": np.tile([0.3, 0, 1, 0, 1, 0, 0], (frames, 1)).astype(float),
        "gripper_open": np.array([1.0, 1.0, 0.0]),
        "joint_velocities": np.zeros((frames, 7)),
    }
    for camera in DATA_CAMERAS:
        columns |= {
            f"{camera}_rgb": rng.integers(0, 256, (frames, 8, 8, 3), np.uint8),
            f"{camera}_depth": rng.uniform(0.1, 3, (frames, 8, 8)).astype(np.float32),
            f"{camera}_mask": np.zeros((frames, 8, 8), np.int32),
            f"{camera}_camera_intrinsics": np.tile(np.diag([-9.0, -9.0, 1.0]), (frames, 1, 1)),
            f"{camera}_camera_extrinsics": np.tile(np.eye(4), (frames, 1, 1)),
        }
    demo = Demo(columns, task="open_door", variation=0, seed=1, descriptions=["open it"])
    root = tmp_path / "rlbench"
    write_rlbench_demo(demo, root / "open_door" / "variation0" / "episodes" / "episode1")
    recording = Recording(view(ViewConfig(root, out=tmp_path / "demo.rrd")))
    for camera in DATA_CAMERAS:
        assert len(recording.values(f"world/cameras/{camera}/rgb", "EncodedImage:blob")) == frames
    ((text,),) = recording.values("description", "TextDocument:text").values()
    assert "open it" in text


class Policy:
    """What `play` needs of a policy, doing as it is told."""

    cameras = ()
    image_size = 16

    def __init__(self, *actions):
        self._actions = iter(actions)

    def act(self, observation, task):
        return next(self._actions)


def test_an_episode_is_written_down_frame_by_frame():
    env = TabletopEnv("reach_target", cameras=())
    start = env.reset(seed=7)[0]
    up, aside = (np.append(start.gripper_pose, 1.0) for _ in range(2))
    up[2] -= 0.1
    aside[1] += 0.1
    policy = Policy(up, aside, np.zeros(8))
    rollout = play(policy, "reach_target", 0, 7)
    poses = rollout.demo.column("gripper_pose")
    assert np.allclose(poses[0], start.gripper_pose, atol=1e-9)
    assert rollout.demo.key == ("reach_target", 0, 7)
    assert list(rollout.targets) == [0, *rollout.ends]
    for target, end in zip((up, aside), rollout.ends, strict=True):
        assert np.linalg.norm(poses[end, :3] - target[:3]) < 0.01
    assert rollout.outcome == "failure (InvalidActionError) after 3 actions"


def test_an_episode_in_which_nothing_moves_can_be_seen():
    rollout = play(Policy(np.zeros(8)), "reach_target", 0, 7)
    assert len(rollout.demo) == 2
    assert np.array_equal(*rollout.demo.column("joint_positions"))


def test_a_run_is_viewed_in_its_first_evaluation_episode(smoke, tmp_path, printed):
    output = printed("view", smoke / "run", "--task", "push_button", "--out", tmp_path / "e.png")
    lines = (smoke / "run").glob("evaluations/*-seed0-*/episodes.jsonl").__next__().read_text()
    recorded = next(
        episode
        for episode in map(json.loads, lines.splitlines())
        if (episode["task"], episode["seed"]) == ("push_button", 1_000_000)
    )
    ended = "success" if recorded["success"] else f"failure ({recorded['error'] or 'step limit'})"
    steps = counted(recorded["steps"], "action")
    expected = f"push_button variation 0 seed 1000000: {ended} after {steps}"
    assert expected in output
    assert f"actions: {recorded['steps']} of " in output
    assert (tmp_path / "e.png").is_file()


def test_a_policys_targets_and_actions_are_in_the_recording(smoke, tmp_path):
    recording = Recording(view(ViewConfig(smoke / "run", out=tmp_path / "e.rrd", every=1000)))
    assert 0 in recording.values("world/target", "Transform3D:translation")
    assert {"world/actions", "curves/actions"} < recording.entities()
    assert not {"world/keyframes", "curves/keyframes"} & recording.entities()
    ((text,),) = recording.values("description", "TextDocument:text").values()
    assert "actions: " in text


def test_a_policys_actions_are_called_so_in_pictures_and_films(
    smoke, tmp_path, figure, monkeypatch
):
    view(ViewConfig(smoke / "run", out=tmp_path / "e.png"))
    titles = [axes.get_title() for axes in figure.axes]
    assert any(title.startswith("action 1, ") for title in titles)
    captions = []
    monkeypatch.setattr(cv2, "putText", lambda canvas, text, *more: captions.append(text))
    view(ViewConfig(smoke / "run", out=tmp_path / "e.mp4"))
    assert any("  action 1" in caption for caption in captions)
    assert not any("keyframe" in words for words in titles + captions)


def test_unknown_names_are_answered_with_those_there_are(store, smoke, refused, tmp_path):
    out = ("--out", tmp_path / "demo.png")
    assert "reach_target" in refused("view", store.path, "--task", "stack_wine", *out)
    assert "it has: 3, 4" in refused("view", store.path, "--seed", 17, *out)
    assert "it has: 0" in refused("view", store.path, "--variation", 9, *out)
    assert "push_button, reach_target" in refused("view", smoke / "run", "--task", "nap", *out)
    assert ".rrd, .mp4, .png" in refused("view", store.path, "--out", tmp_path / "demo.gif")
    assert "at least 1" in refused("view", store.path, "--every", 0, *out)
    assert "left_shoulder" in refused("view", store.path, "--cameras", "eye", *out)
    assert "not negative" in refused("view", smoke / "run", "--seed", -1, *out)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_neither_a_run_nor_demonstrations_says_which_commands_make_them(
    refused, tmp_path
):
    message = refused("view", tmp_path / "nothing", "--out", tmp_path / "demo.png")
    assert "robomtl train" in message
    assert "robomtl collect" in message
    assert not (tmp_path / "nothing").exists()


def test_without_rerun_the_viewer_says_what_to_install_and_films_go_on(
    store, refused, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "rerun", None)
    assert "pip install 'robomtl[view]'" in refused("view", store.path)
    assert "robomtl[view]" in refused("view", store.path, "--out", tmp_path / "demo.rrd")
    assert view(config(store, tmp_path / "demo.mp4", every=1000)).is_file()


def test_without_a_screen_a_recording_is_written_beside_the_source(store, monkeypatch, capsys):
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    path = view(config(store, None, seed=4, every=1000))
    try:
        assert path == store.path.parent / "demos-reach_target-0-4.rrd"
        assert "no screen" in capsys.readouterr().out
        assert "world/cloud" in Recording(path).entities()
    finally:
        path.unlink()


def test_with_a_screen_the_viewer_gets_everything(store, demo, monkeypatch, tmp_path):
    import rerun

    def spawn(stream, **options):  # a viewer that only writes down what it is sent
        stream.save(tmp_path / "shown.rrd", options["default_blueprint"])

    monkeypatch.setattr(rerun.RecordingStream, "spawn", spawn)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("PATH", os.defpath)
    assert view(config(store, None, seed=3, every=9)) is None
    images = Recording(tmp_path / "shown.rrd").values(
        "world/cameras/wrist/rgb", "EncodedImage:blob"
    )
    assert list(images) == [*range(0, len(demo) - 1, 9), len(demo) - 1]


def test_a_viewer_that_does_not_start_is_answered_with_what_to_do_instead(
    store, monkeypatch, refused
):
    import rerun

    def spawn(stream, **options):
        # Beside this Python, where no activated environment would have put it on the path.
        assert os.environ["PATH"].startswith(sysconfig.get_path("scripts"))
        raise RuntimeError("Failed to find Rerun Viewer executable in PATH.\nmore lines")

    monkeypatch.setattr(rerun.RecordingStream, "spawn", spawn)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("PATH", os.defpath)
    assert "--out demo.rrd" in refused("view", store.path)


def test_ctrl_c_leaves_no_half_written_file(store, tmp_path, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("robomtl.view.film._picture", interrupt)
    with pytest.raises(SystemExit) as exit:
        main(["view", str(store.path), "--out", str(tmp_path / "demo.mp4")])
    assert exit.value.code == 130
    assert list(tmp_path.iterdir()) == []
