"""Jobs here are Python expressions, because workers can import `eval` without importing a test."""

import os
import signal
import subprocess
import sys
import time

import pytest

from robomtl.exceptions import JobError
from robomtl.parallel import AHEAD, parallel

PID = "__import__('os').getpid()"


def test_results_come_in_the_order_of_the_jobs_though_the_first_is_the_slowest():
    jobs = ["__import__('time').sleep(0.5)", *map(str, range(3 * AHEAD))]
    assert list(parallel(eval, jobs, workers=2)) == [None, *range(3 * AHEAD)]


def test_several_processes_share_the_work_and_one_worker_is_this_process():
    slow_pid = f"(__import__('time').sleep(0.3), {PID})[1]"
    pids = set(parallel(eval, [slow_pid] * 8, workers=2))
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert set(parallel(eval, [PID], workers=1)) == {os.getpid()}


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_a_worker_names_the_job_and_the_error(workers):
    with pytest.raises(JobError, match=r"^1/0: ZeroDivisionError: division by zero$"):
        list(parallel(eval, ["0", "1/0", "2"], workers))


def test_a_worker_that_dies_is_an_error_and_not_a_hang():
    with pytest.raises(JobError, match="worker process died"):
        list(parallel(eval, ["0", "__import__('os')._exit(1)", "2"], workers=2))


def test_a_worker_that_died_while_the_parent_was_busy_is_the_same_error():
    def jobs():
        yield f"(__import__('time').sleep(0.2), __import__('os').kill({PID}, 9))"
        time.sleep(5)  # as if writing what the last result was; by then the pool is broken
        yield "2"

    with pytest.raises(JobError, match="worker process died"):
        list(parallel(eval, jobs(), workers=2))


def test_workers_end_with_a_killed_parent():
    # In one piece, because two processes share the pipe.
    job = f"(__import__('os').write(1, b'%d\\n' % {PID}), __import__('time').sleep(60))"
    script = (
        "from robomtl.parallel import parallel\n"
        f"if __name__ == '__main__': list(parallel(eval, [{job!r}] * 4, workers=2))"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    workers = [int(parent.stdout.readline()) for _ in range(2)]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while any(map(is_running, workers)):
        assert time.monotonic() < deadline, "workers outlive their parent"
        time.sleep(0.05)


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
