"""Where a command writes, looked at before the work and not after it."""

from pathlib import Path

from robomtl.exceptions import ExperimentError


def check_file(path: Path) -> None:
    """Refuse a path at which no file can be written.

    Raises:
        ExperimentError: It is a folder, or lies in what is none.
    """
    if path.is_dir():
        raise ExperimentError(f"{path} is a folder: name a file to write")
    _check_parents(path)


def check_folder(path: Path) -> None:
    """Refuse a path at which no folder can be; it need not exist.

    Raises:
        ExperimentError: It is a file, or lies in one.
    """
    if path.exists() and not path.is_dir():
        raise ExperimentError(f"{path} is a file: name a folder to write into")
    _check_parents(path)


def _check_parents(path: Path) -> None:
    for parent in path.parents:
        if parent.exists() and not parent.is_dir():
            raise ExperimentError(f"{path} cannot be written: {parent} is a file, not a folder")
