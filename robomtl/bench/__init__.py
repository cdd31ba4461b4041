"""What methods cost: `robomtl bench methods`."""

import os

# As training does: without huge pages, page faults would be a part of what is measured.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

from robomtl.bench.command import BenchMethodsConfig, bench_methods

__all__ = ["BenchMethodsConfig", "bench_methods"]
