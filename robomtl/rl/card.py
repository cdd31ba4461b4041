"""The protocol card: what a number means, next to the number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from rich.table import Table

from robomtl.agents.sac import SACConfig
from robomtl.data.counted import counted
from robomtl.rl.overrides import Overrides, changes
from robomtl.rl.protocol import Protocol, protocol_named, tasks_of


def protocol_card(name: str, overrides: Overrides, tasks: Sequence[str]) -> dict[str, Any]:
    """Return the card of a protocol as it is used, as JSON can hold it.

    Args:
        name: Name of the protocol.
        overrides: What is changed about it.
        tasks: Tasks to learn; all of the benchmark's when none is named.

    Raises:
        ExperimentError: Unknown protocol, or a number makes no sense.
        UnknownNameError: The benchmark has no such task.
    """
    published = protocol_named(name)
    names = tasks_of(published, tasks)
    protocol = overrides.apply(published, len(names))
    modified = changes(protocol, published)
    everything = tasks_of(published, ())
    if names != everything:
        modified["tasks"] = [len(everything), list(names)]
    content = asdict(protocol)
    sac = {key: value for key, value in content.pop("sac").items() if "method" not in key}
    return {
        "protocol": content.pop("name"),
        "modified": modified,
        **content,
        "differs": list(protocol.differs),
        "tasks": list(names),
        "steps": protocol.steps_per_task * len(names),
        "sac": sac,
    }


def card_protocol(card: Mapping[str, Any]) -> Protocol:
    """Return the protocol that a card describes, with its changes."""
    kept = {f.name: card[f.name] for f in fields(Protocol) if f.name in card}
    return Protocol(
        **kept
        | {
            "name": card["protocol"],
            "sac": SACConfig(**card["sac"]),
            "differs": tuple(card["differs"]),
        }
    )


def card_line(card: Mapping[str, Any]) -> str:
    """Return the card in a line: the protocol's name, and what is modified."""
    line = f"protocol {card['protocol']}"
    if card["modified"]:
        line += ", modified: " + "; ".join(
            f"{name} {_text(now)} (was {_text(was)})"
            for name, (was, now) in card["modified"].items()
        )
    return line


def card_table(card: Mapping[str, Any]) -> Table:
    """Return the card for a terminal."""
    tasks, sac = card["tasks"], card["sac"]
    table = Table(title="Protocol card", show_header=False)
    title = f"{card['protocol']}{' (modified)' if card['modified'] else ''}"
    goals = "one fixed goal" if card["goals"] == 1 else f"{card['goals']} goals"
    held = f" (each action for {card['action_repeat']})" if card["action_repeat"] > 1 else ""
    normalised = ", normalised" if card["normalise_rewards"] else ""
    rows = {
        "protocol": f"[bold]{title}[/bold]: {card['summary']}",
        "tasks": f"{len(tasks)} of {card['benchmark']}: {', '.join(tasks)}",
        "episodes": f"{goals}, {card['horizon']} steps{held}, reward {card['reward']}{normalised}",
        "budget": f"{card['steps_per_task']:,} steps of each task, {card['steps']:,} in all",
        "evaluation": f"every {card['evaluation_interval']:,} steps of each task, "
        f"{counted(card['evaluation_episodes'], 'episode')} each; "
        f"{card['final_episodes']} at the end",
        "reported": f"{card['headline']}, {card['aggregate']} over {card['seeds']} seeds",
        "learner": ", ".join(f"{name} {_text(value)}" for name, value in sac.items()),
    }
    if card["modified"]:
        rows["modified"] = card_line(card).partition("modified: ")[2]
    if card["differs"]:
        rows["not as published"] = "; ".join(card["differs"])
    for name, text in rows.items():
        table.add_row(name, text)
    return table


def _text(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
