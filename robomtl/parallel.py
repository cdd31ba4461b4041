"""Jobs spread over processes, results in the order of the jobs."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TypeVar

from robomtl.exceptions import ExperimentError, JobError

Job = TypeVar("Job")
Result = TypeVar("Result")

# Jobs handed out per worker before the oldest result must be in. It bounds how many results (which
# may be images) wait in memory, and is long enough that one slow job leaves nobody idle.
AHEAD = 8


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_workers(workers: int) -> None:
    """Raises ExperimentError unless there can be so many; `parallel` does so at its first job."""
    if workers < 1:
        raise ExperimentError(f"workers must be at least 1, not {workers}")


def parallel(work: Callable[[Job], Result], jobs: Iterable[Job], workers: int) -> Iterator[Result]:
    """Yields `work(job)` for every job, in the order of the jobs, whatever the workers do.

    Workers are fresh ("spawn") processes, because neither OpenGL nor torch survives a fork. With
    one worker the jobs run in this process, where a debugger can follow them.

    Args:
        work: A function at the top level of a module (or a `functools.partial` of one).
        jobs: What to work on; `str(job)` names the job in errors.
        workers: Number of processes, at least 1.

    Raises:
        JobError: A job raised an exception, or its process died. The message names the job.
        ExperimentError: `workers` is below 1.
    """
    check_workers(workers)
    attempt = partial(_attempt, work)
    if workers == 1:
        yield from map(attempt, jobs)
        return
    executor = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_prepare_worker
    )
    waiting: deque[tuple[Job, Future[Result]]] = deque()
    try:
        for job in jobs:
            waiting.append((job, _submitted(executor, attempt, job)))
            if len(waiting) >= AHEAD * workers:
                yield _result(*waiting.popleft())
        while waiting:
            yield _result(*waiting.popleft())
    finally:  # also after an error or Ctrl-C: jobs not started yet are dropped, running ones end
        executor.shutdown(cancel_futures=True)


def _attempt(work: Callable[[Job], Result], job: Job) -> Result:
    try:
        return work(job)
    except Exception as error:
        raise JobError(f"{job}: {type(error).__name__}: {error}") from error


def _submitted(
    executor: ProcessPoolExecutor, attempt: Callable[[Job], Result], job: Job
) -> "Future[Result]":
    try:
        return executor.submit(attempt, job)
    except BrokenProcessPool:
        raise _died(f"before {job} was handed out") from None


def _result(job: Job, future: "Future[Result]") -> Result:
    try:
        return future.result()
    except BrokenProcessPool:
        raise _died(f"at or soon after {job}") from None


def _died(when: str) -> JobError:
    return JobError(
        f"a worker process died {when}, perhaps for lack of memory: run the same command again, "
        "with fewer --workers"
    )


def _prepare_worker() -> None:
    """Leaves Ctrl-C to the parent process, and ends with it even if that is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
