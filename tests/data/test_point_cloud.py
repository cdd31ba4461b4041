import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from robomtl.data import point_cloud

SIZE = 32


def look(rng: np.random.Generator, size: int = SIZE) -> tuple[NDArray, NDArray]:
    """Intrinsics and extrinsics of a camera that stands and looks anywhere."""
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    extrinsics = np.eye(4)
    extrinsics[:3, :3], extrinsics[:3, 3] = rotation, rng.uniform(-2, 2, 3)
    focal = -size / (2 * np.tan(rng.uniform(0.2, 0.6)))
    centre = (size - 1) / 2
    return np.array([[focal, 0, centre], [0, focal, centre], [0, 0, 1]]), extrinsics


@given(seed=st.integers(0, 2**32 - 1))
def test_points_that_are_projected_come_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    intrinsics, extrinsics = look(rng)
    pixels = rng.permutation(SIZE * SIZE)[:20]
    rows, columns = np.divmod(pixels, SIZE)
    z = rng.uniform(0.1, 3.5, 20)
    rays = np.linalg.solve(intrinsics, np.stack([columns, rows, np.ones(20)])) * z
    points = (extrinsics @ np.vstack([rays, np.ones(20)]))[:3].T

    # The other way round, with homogeneous coordinates: the points do fall on those pixels.
    seen = intrinsics @ (np.linalg.inv(extrinsics) @ np.vstack([points.T, np.ones(20)]))[:3]
    np.testing.assert_allclose(seen[:2] / seen[2], [columns, rows], atol=1e-9)

    depth = np.zeros((SIZE, SIZE), np.float32)
    depth[rows, columns] = z
    cloud = point_cloud(depth, intrinsics, extrinsics)
    assert cloud.dtype == np.float32
    np.testing.assert_allclose(cloud[rows, columns], points, atol=2e-6)


def test_a_camera_above_a_table_sees_the_table_where_it_is() -> None:
    # RLBench's frames are x left, y up, z forward: above the table, looking down, image up = +x.
    extrinsics = np.array([[0, 1, 0, 0.2], [1, 0, 0, 0.1], [0, 0, -1, 1.75], [0, 0, 0, 1.0]])
    intrinsics = np.array([[-10.0, 0, 2], [0, -10.0, 2], [0, 0, 1]])
    cloud = point_cloud(np.ones((5, 5), np.float32), intrinsics, extrinsics)
    np.testing.assert_allclose(cloud[..., 2], 0.75, atol=1e-6)
    np.testing.assert_allclose(cloud[2, 2], [0.2, 0.1, 0.75], atol=1e-6)
    np.testing.assert_allclose(cloud[0, 2], [0.4, 0.1, 0.75], atol=1e-6)  # top of the image
    np.testing.assert_allclose(cloud[2, 0], [0.2, 0.3, 0.75], atol=1e-6)  # left in the image


def test_depth_is_measured_along_the_axis_not_along_the_ray() -> None:
    intrinsics, _ = look(np.random.default_rng(0))
    cloud = point_cloud(np.full((SIZE, SIZE), 2.0, np.float32), intrinsics, np.eye(4))
    np.testing.assert_array_equal(cloud[..., 2], 2.0)


def test_images_need_not_be_square() -> None:
    intrinsics, extrinsics = look(np.random.default_rng(1))
    depth = np.random.default_rng(2).uniform(1, 2, (SIZE, SIZE)).astype(np.float32)
    whole = point_cloud(depth, intrinsics, extrinsics)
    np.testing.assert_array_equal(point_cloud(depth[:20], intrinsics, extrinsics), whole[:20])


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
def test_batches_equal_single_images_and_cameras_broadcast_over_them(kind) -> None:
    rng = np.random.default_rng(3)
    cameras = [look(rng) for _ in range(3)]
    depth = rng.uniform(1, 2, (4, 3, SIZE, SIZE)).astype(np.float32)
    intrinsics, extrinsics = map(np.stack, zip(*cameras, strict=True))
    clouds = point_cloud(kind(depth), kind(intrinsics), kind(extrinsics))
    assert clouds.shape == (4, 3, SIZE, SIZE, 3)
    for batch in range(4):
        for camera in range(3):
            single = point_cloud(depth[batch, camera], *cameras[camera])
            np.testing.assert_allclose(np.asarray(clouds[batch, camera]), single, atol=1e-6)


def test_one_image_can_be_seen_by_several_cameras() -> None:
    rng = np.random.default_rng(4)
    intrinsics, extrinsics = map(np.stack, zip(look(rng), look(rng), strict=True))
    depth = rng.uniform(1, 2, (SIZE, SIZE)).astype(np.float32)
    clouds = point_cloud(depth, intrinsics, extrinsics)
    np.testing.assert_array_equal(clouds[1], point_cloud(depth, intrinsics[1], extrinsics[1]))


def test_tensors_give_tensors_and_arrays_give_arrays() -> None:
    intrinsics, extrinsics = look(np.random.default_rng(5))
    depth = np.ones((SIZE, SIZE), np.float32)
    cloud = point_cloud(*map(torch.from_numpy, (depth, intrinsics, extrinsics)))
    assert isinstance(cloud, torch.Tensor)
    assert cloud.dtype == torch.float32
    np.testing.assert_array_equal(cloud.numpy(), point_cloud(depth, intrinsics, extrinsics))


def test_a_list_is_refused() -> None:
    with pytest.raises(TypeError, match="numpy array or a torch tensor, not list"):
        point_cloud([[1.0]], np.eye(3), np.eye(4))  # type: ignore[type-var]
