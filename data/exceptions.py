"""What can be wrong with recorded data. Messages say what was expected and what to do."""

from collections.abc import Iterable
from pathlib import Path


class DataError(ValueError):
    """Base of everything that `robomtl.data` raises."""


class InvalidDemoError(DataError):
    """Columns, frames or settings that are not a demonstration: lengths, shapes, NaN, names."""


class CorruptDemoError(DataError):
    """A file of a store cannot be read back as the demonstration it is named after."""


class UnsupportedFormatError(DataError):
    """Data was written by a version of robomtl, or of RLBench, with another format."""


class UnsafePickleError(CorruptDemoError):
    """A pickle asks for something that is no part of RLBench's format. It was not done."""


class CorruptImageError(CorruptDemoError):
    """A picture is damaged, or of another size or kind than its demonstration needs."""


class MissingDemoError(DataError, LookupError):
    """A store does not hold the demonstration that was asked for."""


class UnknownFieldError(DataError):
    """A name is not a field of an observation."""


class UnknownCameraError(DataError):
    """A name is not a camera."""


class UnknownTaskError(DataError):
    """A task is not part of a dataset."""


class UnknownKeyframeMethodError(DataError):
    """There is no such way of finding keyframes."""


class InvalidKeyframesError(DataError):
    """Frame numbers that cannot be the keyframes of a demonstration."""


class InvalidSamplesError(DataError):
    """Arrays that a keyframe dataset cannot hold: names, shapes, types, NaN, a repeated episode."""


class DatasetMismatchError(DataError):
    """A folder holds something else than the dataset that was to be continued."""


class OtherFilesError(DatasetMismatchError):
    """A folder to write into holds what is not of its kind."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} holds other files; name a folder that is empty or does not exist"
        )


class DatasetInUseError(DataError):
    """Another writer has the dataset open."""


class CorruptDatasetError(DataError):
    """Parts of a keyframe dataset are missing or unreadable."""


class DiskFullError(OSError, DataError):  # OSError first: it decides the layout of the object
    """No space was left; nothing partial stays behind."""


class IncompleteDatasetWarning(UserWarning):
    """A keyframe dataset was opened that nobody finished."""


def unknown(kind: str, name: object, valid: Iterable[str]) -> str:
    """The message for a name that does not exist, with those that do."""
    return f"unknown {kind} {name!r}; valid names: {', '.join(valid) or '(none)'}"
