"""How much memory tensors take up."""

from __future__ import annotations

import gc
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

# Its announcements on standard error are of no use here. Read when profiling first starts.
os.environ.setdefault("KINETO_LOG_LEVEL", "99")

from torch.profiler import ProfilerActivity, profile


def peak_bytes(work: Callable[[], object]) -> int:
    """Return how much memory the tensors that `work` made took up at most, at one time.

    Counted are the allocations and releases of torch's CPU allocator, as its profiler sees them:
    activations, gradients, states of optimisers and methods. What existed before is not, and
    neither is what libraries allocate past torch, such as oneDNN's working memory.
    """
    gc.collect()  # what is garbage already would be released in between
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    changes = [event for event in events if event.get("name") == "[memory]"]
    held: dict[int, int] = {}
    total = peak = 0
    for event in sorted(changes, key=lambda event: event["ts"]):
        size, address = event["args"]["Bytes"], event["args"]["Addr"]
        if size > 0:
            held[address] = size
            total += size
        else:
            total -= held.pop(address, 0)
        peak = max(peak, total)
    return peak
