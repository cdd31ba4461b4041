"""A demonstration as one file: numpy's .npz, which `numpy.load` reads too, with metadata in JSON.

Members are one .npy per column, `states.npy` and `symmetry.npy`, and `metadata.json`. Nothing is
ever unpickled. Equal demonstrations give equal bytes.
"""

import io
import json
import zipfile
from typing import Any

import numpy as np

from robomtl.data.demo import Demo
from robomtl.data.exceptions import UnsupportedFormatError

FORMAT = 1
"""Version of the file's layout; a reader refuses others."""

_METADATA = "metadata.json"

# Higher levels save a few percent of the size and take half as long again.
_LEVEL = 1


def encode(demo: Demo) -> bytes:
    """The content of a demonstration's file."""
    metadata = {
        "format": FORMAT,
        "task": demo.task,
        "variation": demo.variation,
        "seed": demo.seed,
        "descriptions": demo.descriptions,
        "attempts": demo.attempts,
    }
    extras = {"states": demo.states, "symmetry": demo.symmetry}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        _write(archive, _METADATA, json.dumps(metadata).encode())
        for name in (*demo.columns, *extras):
            array = extras[name] if name in extras else demo.column(name)
            if array is not None:
                member = io.BytesIO()
                np.lib.format.write_array(member, array, allow_pickle=False)
                _write(archive, f"{name}.npy", member.getvalue())
    return content.getvalue()


def decode(content: bytes) -> Demo:
    """The demonstration in a file's content.

    Raises:
        UnsupportedFormatError: A later or earlier version wrote it.
        Exception: Anything at all if the content is damaged; checksums cover every byte of data.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        # Reading a member whole is what makes zipfile compare its checksum.
        members = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(members.pop(_METADATA))
    version = metadata.pop("format")
    if version != FORMAT:
        raise UnsupportedFormatError(
            f"it has format {version}, but this version of robomtl reads format {FORMAT}"
        )
    arrays: dict[str, Any] = {
        name.removesuffix(".npy"): np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
        for name, data in members.items()
    }
    states, symmetry = arrays.pop("states", None), arrays.pop("symmetry")
    return Demo(arrays, states=states, symmetry=symmetry, **metadata)


def _write(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    member = zipfile.ZipInfo(name)  # with a fixed date, for equal bytes
    archive.writestr(member, data, zipfile.ZIP_DEFLATED, _LEVEL)
