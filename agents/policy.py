"""The trained policy, as it is saved, loaded and asked for actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from robomtl.agents.batch import Inputs
from robomtl.agents.cloning import best_rotation
from robomtl.agents.exceptions import (
    ImageSizeError,
    MissingInputError,
    PolicyFileError,
    UnknownTaskError,
)
from robomtl.agents.files import DamagedFileError, load_safely, save_atomically
from robomtl.agents.network import (
    KeyframeNetwork,
    NetworkConfig,
    Prediction,
    check_image_size,
)
from robomtl.data.point_cloud import point_cloud

FORMAT = "robomtl.KeyframePolicy/1"


class KeyframePolicy:
    """Says where the gripper should go next.

    It keeps no state: the number of actions already taken, `observation["timestep"]`, tells the
    stage of the task; past the last stage it stays there.

    Args:
        network: What predicts.
        tasks: Names of its tasks, in its order.
        cameras: Names of its cameras, in its order.
        image_size: Width and height in pixels of the images that it was trained on.

    Raises:
        UnsuitableImagesError: The network cannot look at images of that size.
    """

    def __init__(
        self,
        network: KeyframeNetwork,
        tasks: Sequence[str],
        cameras: Sequence[str],
        image_size: int,
    ) -> None:
        check_image_size(image_size, image_size, network.config)
        self.network = network.eval()
        self.tasks = tuple(tasks)
        self.cameras = tuple(cameras)
        self.image_size = image_size
        self.device = next(network.parameters()).device

    def act(self, observation: Mapping[str, Any], task: str) -> np.ndarray:
        """Return the next keyframe, (8,) float64: x y z in [m], quaternion xyzw, gripper open.

        Args:
            observation: Fields under RLBench's names, with images of `image_size`.
            task: Name of the task to do.

        Raises:
            UnknownTaskError: The policy was not trained on `task`.
            MissingInputError: The observation lacks a camera or a field.
            ImageSizeError: An image is not of the size that the policy was trained on.
        """
        prediction = self._predict(observation, task)
        # On the CPU: not every device has float64.
        position = prediction.position[0].cpu().double()
        rotation = best_rotation(prediction)[0].cpu().double()
        rotation = rotation / rotation.norm() * (1 if rotation[3] >= 0 else -1)
        opened = (prediction.gripper > 0).cpu().double()
        return torch.cat((position, rotation, opened)).numpy()

    def attention(self, observation: Mapping[str, Any], task: str) -> dict[str, np.ndarray]:
        """Return how much the policy attends to each pixel: camera -> (H / 2, W / 2).

        All maps together sum to 1 minus what it attends to the gripper's own position.

        Raises:
            UnknownTaskError: The policy was not trained on `task`.
            MissingInputError: The observation lacks a camera or a field.
            ImageSizeError: An image is not of the size that the policy was trained on.
        """
        pixels = self._predict(observation, task).logits[0].softmax(-1)[:-1]
        height, width = np.shape(observation[f"{self.cameras[0]}_depth"])
        maps = pixels.reshape(len(self.cameras), height // 2, width // 2).cpu().numpy()
        return dict(zip(self.cameras, maps, strict=True))

    def save(self, path: str | Path) -> None:
        """Write the policy to a file, atomically."""
        content = {
            "format": FORMAT,
            "tasks": list(self.tasks),
            "cameras": list(self.cameras),
            "image_size": self.image_size,
            "stages": list(self.network.stages),
            "network": asdict(self.network.config),
            "weights": self.network.state_dict(),
        }
        save_atomically(content, Path(path))

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> KeyframePolicy:
        """Read a policy from a file.

        Raises:
            FileNotFoundError: There is no such file.
            PolicyFileError: The file is damaged or holds something else.
        """
        try:
            content = load_safely(Path(path), device)
        except DamagedFileError as error:
            raise PolicyFileError(str(error)) from error
        if content.get("format") != FORMAT:
            raise PolicyFileError(
                f"{path} holds {content.get('format')!r}, not a policy ({FORMAT!r})."
            )
        try:
            network = KeyframeNetwork(
                content["stages"], len(content["cameras"]), NetworkConfig(**content["network"])
            )
            network.load_state_dict(content["weights"])
        except (KeyError, TypeError, RuntimeError) as error:
            raise PolicyFileError(
                f"{path} holds a network that this version does not have: it was trained by "
                f"another version of robomtl; train it again. ({error})"
            ) from error
        return cls(network.to(device), content["tasks"], content["cameras"], content["image_size"])

    @torch.no_grad()
    def _predict(self, observation: Mapping[str, Any], task: str) -> Prediction:
        if task not in self.tasks:
            raise UnknownTaskError(task, self.tasks)
        return self.network(self._inputs(observation, self.tasks.index(task)).to(self.device))

    def _inputs(self, observation: Mapping[str, Any], task: int) -> Inputs:
        def field(name: str) -> torch.Tensor:
            if name not in observation:
                raise MissingInputError(name, self.cameras)
            return torch.from_numpy(np.array(observation[name]))

        def images(kind: str) -> torch.Tensor:
            return torch.stack([field(f"{camera}_{kind}") for camera in self.cameras])

        for camera in self.cameras:
            shape = tuple(field(f"{camera}_depth").shape)
            if shape != (self.image_size, self.image_size):
                raise ImageSizeError(f"{camera}_depth", shape, self.image_size)

        cloud = point_cloud(
            images("depth").float(),
            images("camera_intrinsics").float(),
            images("camera_extrinsics").float(),
        )
        stage = min(int(field("timestep")), self.network.stages[task] - 1)
        return Inputs(
            rgb=images("rgb")[None] / 255,
            cloud=cloud[None],
            gripper_pose=field("gripper_pose").float()[None],
            gripper_open=field("gripper_open").float().reshape(1),
            task=torch.tensor([task]),
            stage=torch.tensor([stage]),
        )
