"""Simulators besides the embedded one."""

from collections.abc import Iterator

from robomtl.doctor.finding import Finding


def check_rlbench() -> Iterator[Finding]:
    """RLBench with CoppeliaSim: one finding for each thing that is in its way."""
    try:
        from robomtl.envs.rlbench.availability import problems
    except (ImportError, OSError, RuntimeError) as error:  # of MuJoCo, which is imported too
        yield Finding(name="RLBench", status="warning", detail=f"cannot be looked for: {error}")
        return
    found = problems()
    for problem in found:
        yield Finding(name="RLBench", status="warning", detail=problem.what, remedy=problem.remedy)
    if not found:
        yield Finding(name="RLBench", status="ok", detail="CoppeliaSim, PyRep and RLBench are here")
