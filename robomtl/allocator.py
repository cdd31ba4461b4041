"""Memory that is kept instead of given back, for loops that allocate the same again and again."""

from __future__ import annotations

import ctypes
import os

# Numbers of glibc's malloc.h, which have never changed.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> None:
    """Let the allocators of this process reuse what was freed rather than return it.

    A training step on the CPU frees hundreds of megabytes of activations and allocates them again
    in the next step. Fresh pages from the system cost up to half of such a step. So large blocks
    come from the heap, which is not trimmed, and from huge pages. The process keeps the memory
    that it once needed, and numbers do not change.

    Call it before torch allocates anything large: torch reads its part once. Where malloc is not
    glibc's (macOS, musl), only that part has an effect.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_TOP_PAD, 64 * 2**20)
