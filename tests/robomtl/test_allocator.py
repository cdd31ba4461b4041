import subprocess
import sys

import pytest

CODE = """
import sys, resource
from robomtl.allocator import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
import torch
def step():
    for _ in range(4):
        torch.ones(1_500_000)  # 6 MB
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str) -> int:
    command = [sys.executable, "-c", CODE, how]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="malloc is glibc's on Linux")
def test_memory_that_was_freed_is_used_again() -> None:
    assert page_faults("kept") < page_faults("given back") / 10
