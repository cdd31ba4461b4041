"""The command `robomtl doctor`."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from robomtl.doctor.declared import declared
from robomtl.doctor.devices import check_devices
from robomtl.doctor.finding import Finding
from robomtl.doctor.libraries import check_libraries
from robomtl.doctor.machine import check_machine
from robomtl.doctor.rendering import check_rendering
from robomtl.doctor.simulators import check_rlbench
from robomtl.exceptions import ExperimentError
from robomtl.progress import console

_LOOKS = {"ok": "[green]ok[/]", "warning": "[yellow]warning[/]", "fault": "[bold red]fault[/]"}


@dataclass(frozen=True)
class DoctorConfig:
    """Where else to write what was found."""

    json: Path | None = None
    """Also write the findings to this file."""


def doctor(config: DoctorConfig) -> list[Finding]:
    """Looks at everything that robomtl needs, and prints what it found.

    Returns:
        The findings, if there is no fault among them.

    Raises:
        ExperimentError: There is a fault: demonstrations, training or evaluation will not work.
    """
    findings = []
    with console.status("looking around"):
        for finding in _check():
            findings.append(finding)
    console.print(_table(findings))
    _print_remedies(findings)
    if config.json is not None:
        # Not by `robomtl.data`, whose libraries may be what is missing.
        config.json.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps([asdict(finding) for finding in findings], indent=2)
        config.json.write_text(text + "\n")
    count = Counter(finding.status for finding in findings)
    if count["fault"]:
        names = ", ".join(finding.name for finding in findings if finding.status == "fault")
        raise ExperimentError(f"robomtl cannot work here because of: {names}; see above")
    console.print(f"Everything that robomtl needs is here. Warnings: {count['warning']}.")
    return findings


def _check() -> Iterator[Finding]:
    yield from check_libraries(declared())
    yield check_devices()
    yield from check_rendering()
    yield from check_machine(Path())
    yield from check_rlbench()


def _table(findings: list[Finding]) -> Table:
    table = Table("what", "", "found", title="robomtl doctor")
    for finding in findings:
        table.add_row(escape(finding.name), _LOOKS[finding.status], escape(finding.detail))
    return table


def _print_remedies(findings: list[Finding]) -> None:
    """Each on a line of its own that no table breaks, so that it can be copied."""
    for finding in findings:
        if finding.remedy:
            console.print(f"{_LOOKS[finding.status]} {escape(finding.name)}:", highlight=False)
            line = f"    {finding.remedy}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)
