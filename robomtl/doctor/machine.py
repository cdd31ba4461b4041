"""The machine: disk, memory, cores, screen."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from robomtl.doctor.finding import Finding
from robomtl.parallel import cores

GIGABYTE = 1e9
LITTLE_DISK, NO_DISK = 5.0, 0.5
"""Free gigabytes below which runs of ten tasks, or any runs, do not fit."""
WORKER_MEMORY, NO_MEMORY = 0.6, 1.0
"""Gigabytes that a worker takes; and that are too little even for one, beside the command."""
LITTLE_SHARED_MEMORY = 0.1
"""Gigabytes; Docker gives 0.067 unless told otherwise."""

MEMINFO = Path("/proc/meminfo")
MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")
SHARED_MEMORY = Path("/dev/shm")


def check_machine(folder: Path) -> Iterator[Finding]:
    """What there is of everything that runs need, where runs go to `folder`."""
    yield check_disk(folder)
    yield check_memory()
    yield check_shared_memory()
    yield check_cores()
    yield check_screen()


def check_disk(folder: Path) -> Finding:
    """Free space where runs are written."""
    free = shutil.disk_usage(folder).free / GIGABYTE
    detail = f"{free:.1f} GB free in {folder.resolve()}"
    if free >= LITTLE_DISK:
        return Finding(name="disk", status="ok", detail=detail)
    return Finding(
        name="disk",
        status="warning" if free >= NO_DISK else "fault",
        detail=f"{detail}; ten tasks take about {LITTLE_DISK:.0f} GB",
        remedy="du -xh --max-depth 2 . | sort -h | tail",
    )


def check_memory() -> Finding:
    """Memory that is free, or that a container may still take if that is less."""
    free = _free_memory()
    if free is None:
        return Finding(name="memory", status="ok", detail="unknown: no /proc/meminfo here")
    detail = f"{free:.1f} GB free"
    if free < NO_MEMORY:
        return Finding(
            name="memory",
            status="fault",
            detail=f"{detail}; even one worker needs {NO_MEMORY:.0f} GB",
            remedy="ps -eo pid,rss,comm --sort -rss | head",
        )
    workers = int(free / WORKER_MEMORY)
    if workers < cores():
        return Finding(
            name="memory",
            status="warning",
            detail=f"{detail}, enough for {workers} workers; by default there are {cores()}",
            remedy=f"robomtl quickstart --workers {workers}",
        )
    return Finding(name="memory", status="ok", detail=detail)


def check_shared_memory() -> Finding:
    """Shared memory, through which the workers of the Meta-World environments talk."""
    if not SHARED_MEMORY.is_dir():
        return Finding(name="shared memory", status="ok", detail=f"no {SHARED_MEMORY} here")
    free = shutil.disk_usage(SHARED_MEMORY).free / GIGABYTE
    if free >= LITTLE_SHARED_MEMORY:
        return Finding(name="shared memory", status="ok", detail=f"{free:.1f} GB free")
    return Finding(
        name="shared memory",
        status="warning",
        detail=f"{free:.3f} GB free in {SHARED_MEMORY}; in Docker, start with --shm-size=1g",
        remedy=f"sudo mount -o remount,size=1G {SHARED_MEMORY}",
    )


def check_cores() -> Finding:
    """Cores that this process may use."""
    return Finding(name="cores", status="ok", detail=f"{cores()} of {os.cpu_count()}")


def check_screen() -> Finding:
    """A screen for the viewer; nothing else needs one."""
    for variable in ("WAYLAND_DISPLAY", "DISPLAY"):
        if os.environ.get(variable):
            detail = f"{variable}={os.environ[variable]}"
            return Finding(name="screen", status="ok", detail=detail)
    virtual = "; Xvfb is installed" if shutil.which("Xvfb") else ""
    return Finding(
        name="screen",
        status="warning",
        detail=f"none, so `robomtl view` writes files instead of opening a window{virtual}",
        remedy="robomtl view --out demo.mp4",
    )


def _free_memory() -> float | None:
    if not MEMINFO.is_file():
        return None
    lines = dict(line.split(":") for line in MEMINFO.read_text().splitlines() if ":" in line)
    free = int(lines["MemAvailable"].split()[0]) * 1024 / GIGABYTE
    left = _left_in_container()
    return free if left is None else min(free, left)


def _left_in_container() -> float | None:
    """What a container may still take, in gigabytes; None without a limit."""
    limit = MEMORY_LIMIT.read_text().strip() if MEMORY_LIMIT.is_file() else "max"
    if limit == "max":
        return None
    current, stat = (MEMORY_LIMIT.with_name(f"memory.{name}") for name in ("current", "stat"))
    used = int(current.read_text()) if current.is_file() else 0
    pages = dict(map(str.split, stat.read_text().splitlines())) if stat.is_file() else {}
    # Files in memory that nobody has used for long are dropped as soon as it gets scarce.
    used -= int(pages.get("inactive_file", 0))
    return max(0, int(limit) - max(0, used)) / GIGABYTE
