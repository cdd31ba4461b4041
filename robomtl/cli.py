"""The `robomtl` command. Every subcommand is a function of one config, made from its options."""

import argparse
import os
import select
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field, make_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO, get_args

import robomtl

Preset = Literal["smoke", "quick", "paper"]

COMMANDS = {
    "quickstart": (
        "Do the whole job in one folder: collect, keyframes, train, evaluate, report.",
        "robomtl quickstart --tasks reach_target push_button --out runs/two",
    ),
    "tasks": (
        "List the tasks: how many variations each has and what counts as success.",
        "robomtl tasks",
    ),
    "collect": (
        "Collect demonstrations of tasks from scripted experts.",
        "robomtl collect --tasks reach_target --demos-per-task 20 --out runs/mine/demos",
    ),
    "keyframes": (
        "Find the keyframes of demonstrations and gather their images in a dataset.",
        "robomtl keyframes --demos runs/mine/demos --out runs/mine/keyframes.zarr",
    ),
    "train": (
        "Train one policy on all tasks of a dataset, or of a folder of demonstrations.",
        "robomtl train --data runs/mine/keyframes.zarr --out runs/mine/run",
    ),
    "evaluate": (
        "Measure a policy's success rates over episodes it has not seen.",
        "robomtl evaluate runs/mine/run --episodes 100 --seed 0 --json success.json",
    ),
    "report": (
        "Write one HTML page about a run: success, curves, demonstrations, rollouts, attention.",
        "robomtl report runs/mine/run",
    ),
    "view": (
        "Look at a demonstration, or at an episode of a policy: in Rerun, as a film, as a picture.",
        "robomtl view runs/mine/demos --task reach_target --seed 0 --out demo.mp4",
    ),
    "demos export": (
        "Write demonstrations in RLBench's saved format, every frame seen by all cameras.",
        "robomtl demos export --demos runs/mine/demos --out runs/mine/rlbench",
    ),
    "demos check": (
        "Read all of a folder of demonstrations, and list everything that is wrong with it.",
        "robomtl demos check runs/mine/rlbench",
    ),
    "methods": (
        "List the multi-task methods that a training can use.",
        "robomtl methods",
    ),
    "scenes collect": (
        "Render labelled images of the tasks for dense prediction.",
        "robomtl scenes collect --out runs/scenes/scenes.npz",
    ),
    "scenes train": (
        "Train a dense-prediction network on these images.",
        "robomtl scenes train --method aligned_mtl --out runs/scenes/aligned",
    ),
    "scenes compare": (
        "Compare multi-task methods on these images with single-task networks.",
        "robomtl scenes compare --methods equal auto_lambda --seeds 0 1 2",
    ),
    "scenes relationships": (
        "Estimate which tasks help which, and compare with what training in pairs shows.",
        "robomtl scenes relationships --iterations 300",
    ),
    "rl train": (
        "Train multi-task SAC on Meta-World by a named protocol.",
        "robomtl rl train --protocol lite --method aligned_mtl --seed 0",
    ),
    "rl evaluate": (
        "Measure the success rates of such a training, and film it.",
        "robomtl rl evaluate runs/rl/lite-aligned_mtl-0 --episodes 50 --video",
    ),
    "rl compare": (
        "Compare multi-task methods on Meta-World over several seeds.",
        "robomtl rl compare --methods equal pcgrad aligned_mtl --seeds 0 1 --steps 300000",
    ),
    "toy": (
        "Watch multi-task methods on a problem of two losses and two parameters.",
        "robomtl toy --methods equal aligned_mtl --out runs/toy",
    ),
    "doctor": (
        "Check that everything robomtl needs is here, and say which command mends what is not.",
        "robomtl doctor --json doctor.json",
    ),
    "bench methods": (
        "Measure what a training step costs with each multi-task method.",
        "robomtl bench methods --problem mt10 --methods auto_lambda nash_mtl",
    ),
}

# The commands whose defaults depend on --preset.
SIZED = frozenset(
    ["quickstart", "collect", "keyframes", "train", "evaluate", "report", "view", "demos check"]
)

# The commands that, interrupted or killed, continue where they were; the others begin anew.
CONTINUING = frozenset(
    [
        "quickstart", "collect", "keyframes", "train", "evaluate", "demos export",
        "scenes train", "scenes compare", "scenes relationships", "rl train", "rl compare",
    ]
)  # fmt: skip

OVERVIEW = f"""\
robomtl {robomtl.__version__}: multi-task imitation learning for robot manipulation

usage: robomtl COMMAND [OPTIONS]        robomtl COMMAND --help explains the options

{{commands}}

The five commands from collect to report, without options, do one after the other what quickstart
does, in the same folder. Interrupted or killed, all of them continue where they were when they are
run again, but for report, which begins anew."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; `arguments` are those of the process unless given.

    Raises:
        SystemExit: Always, but for success: 2 for an error the user can do something about,
            printed as one line, 130 for Ctrl-C, and 1 when nobody reads any more what it prints.
    """
    arguments = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _warn
                _start(arguments)
        finally:
            sys.stdout.flush()  # here, where it may fail, and not at the interpreter's exit
    except KeyboardInterrupt:
        name, _ = _split(arguments)
        again = "continues where it was" if name in CONTINUING else "begins anew"
        print(f"interrupted: the same command {again}", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        if not _nobody_reads():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _nobody_reads() -> bool:
    """Whether what is printed goes to a reader that has seen enough, such as `| head`."""
    poll = select.poll()
    try:
        poll.register(sys.stdout.fileno(), 0)
    except OSError:  # it goes to no file
        return False
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _start(arguments: Sequence[str]) -> None:
    name, rest = _split(arguments)
    members = [command for command in COMMANDS if command.startswith(f"{name} ")]
    if name in ("-h", "--help"):
        print(OVERVIEW.format(commands=_listed(COMMANDS)))
    elif name == "--version":
        print(robomtl.__version__)
    elif name in COMMANDS:
        _run(name, rest)
    elif members and rest and rest[0] in ("-h", "--help"):
        print(f"usage: robomtl {name} COMMAND [OPTIONS]\n\n{_listed(members)}")
    else:
        unknown = " ".join(arguments[:2]) if members else name
        valid = ", ".join(members or COMMANDS)
        sys.exit(_error(f"unknown command {unknown!r}; valid: {valid}"))


def _split(arguments: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Splits a command, of one word or two, from what follows it."""
    two = " ".join(arguments[:2])
    return (two, arguments[2:]) if two in COMMANDS else (arguments[0], arguments[1:])


def _run(name: str, arguments: Sequence[str]) -> None:
    import tyro

    summary, example = COMMANDS[name]
    preset = _preset(arguments)
    try:
        command, config = _command(name, preset)
        errors = _errors(name)
    except (ImportError, OSError) as error:  # OSError where a library of the system is missing
        if "--traceback" in arguments:
            raise
        problem = f"a library cannot be imported ({type(error).__name__}: {error})"
        sys.exit(_error(f"{problem}: `robomtl doctor` says which command mends it"))
    options: Any = tyro.cli(
        _options(config, preset if name in SIZED else None),
        prog=f"robomtl {name}",
        description=f"{summary}\n\nExample: {example}",
        args=arguments,
        config=(tyro.conf.PositionalMetavarFromFieldName,),
    )
    try:
        command(options.config)
    except errors as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            raise
        if options.traceback:
            raise
        sys.exit(_error(str(error)))


def _errors(name: str) -> tuple[type[Exception], ...]:
    """The errors whose message is all that a person needs."""
    from robomtl.exceptions import ExperimentError

    if name == "doctor":  # the wings' libraries may be what it has found missing
        return (ExperimentError, OSError)
    from robomtl.agents import AgentError
    from robomtl.checkpoint import CheckpointError
    from robomtl.data.exceptions import DataError
    from robomtl.envs import EnvError
    from robomtl.methods import MethodError

    return (ExperimentError, CheckpointError, AgentError, EnvError, MethodError, DataError, OSError)


def _command(name: str, preset: Preset) -> tuple[Callable[[Any], Any], Any]:
    """The function behind a command, and the config it has by default."""
    # Imported here so that `robomtl --help`, and every worker process, start at once.
    if name == "doctor":  # alone, because it must start where the others' imports fail
        from robomtl.doctor import DoctorConfig, doctor

        return doctor, DoctorConfig()
    if name.startswith("rl "):  # Stable-Baselines3 takes a while to import
        return _rl_command(name)
    from robomtl.bench import BenchMethodsConfig, bench_methods
    from robomtl.collection import collect
    from robomtl.demos import DemosCheckConfig, DemosExportConfig, check_demos, export_demos
    from robomtl.evaluation import evaluate
    from robomtl.keyframing import keyframes
    from robomtl.methodlist import MethodsConfig, show_methods
    from robomtl.presets import PRESETS
    from robomtl.quickstart import quickstart
    from robomtl.report import report
    from robomtl.scenes.collection import SceneCollectConfig, collect_scenes
    from robomtl.scenes.comparison import SceneCompareConfig, compare_scenes
    from robomtl.scenes.relationships import SceneRelationshipsConfig, scene_relationships
    from robomtl.scenes.train_command import SceneTrainCommandConfig, train_scenes_command
    from robomtl.scenes.training import SceneTrainConfig
    from robomtl.tasklist import TasksConfig, show_tasks
    from robomtl.toy import ToyConfig, toy
    from robomtl.train_command import train_command
    from robomtl.view import ViewConfig, view

    job = PRESETS[preset]
    commands: dict[str, tuple[Callable[[Any], Any], Any]] = {
        "quickstart": (quickstart, job),
        "tasks": (show_tasks, TasksConfig()),
        "collect": (collect, job.collect()),
        "keyframes": (keyframes, job.keyframes()),
        "train": (train_command, job.train()),
        "evaluate": (evaluate, job.evaluate()),
        "report": (report, job.report()),
        "view": (view, ViewConfig(job.collect().out)),
        "demos export": (export_demos, DemosExportConfig()),
        "demos check": (check_demos, DemosCheckConfig(job.collect().out)),
        "methods": (show_methods, MethodsConfig()),
        "scenes collect": (collect_scenes, SceneCollectConfig()),
        "scenes train": (
            train_scenes_command,
            SceneTrainCommandConfig(Path("runs/scenes/run"), SceneTrainConfig()),
        ),
        "scenes compare": (compare_scenes, SceneCompareConfig()),
        "scenes relationships": (scene_relationships, SceneRelationshipsConfig()),
        "toy": (toy, ToyConfig()),
        "bench methods": (bench_methods, BenchMethodsConfig()),
    }
    return commands[name]


def _rl_command(name: str) -> tuple[Callable[[Any], Any], Any]:
    """The function behind a command of reinforcement learning, and its default config."""
    from robomtl.rl.comparison import RLCompareConfig, compare_rl
    from robomtl.rl.evaluation import RLEvaluateConfig, evaluate_rl
    from robomtl.rl.train_command import RLTrainCommandConfig, train_rl_command

    commands: dict[str, tuple[Callable[[Any], Any], Any]] = {
        "rl train": (train_rl_command, RLTrainCommandConfig()),
        "rl evaluate": (evaluate_rl, RLEvaluateConfig()),
        "rl compare": (compare_rl, RLCompareConfig()),
    }
    return commands[name]


def _preset(arguments: Sequence[str]) -> Preset:
    """Finds --preset, because it decides what the other options' defaults are."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--preset")
    preset = parser.parse_known_args(arguments)[0].preset
    return preset if preset in get_args(Preset) else "quick"  # tyro refuses a wrong one


def _options(config: Any, preset: Preset | None) -> type:
    """A dataclass of a config's fields and of the options that commands share."""
    from tyro.conf import FlagCreatePairsOff, arg

    size = arg(
        help="Size of the job, which sets the other options' defaults: smoke shows in a minute "
        "that everything works, and learns nothing; quick learns three tasks, paper all ten."
    )
    where = arg(help="Show where in the code an error came from.")
    presets = [("preset", Annotated[Preset, size], field(default=preset))]
    return make_dataclass(
        "Options",
        [
            *(presets if preset else ()),
            ("config", Annotated[type(config), arg(name="")], field(default=config)),
            ("traceback", FlagCreatePairsOff[Annotated[bool, where]], field(default=False)),
        ],
    )


def _listed(names: Iterable[str]) -> str:
    width = max(map(len, COMMANDS)) + 2
    return "\n".join(f"  {name:<{width}}{COMMANDS[name][0]}" for name in names)


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Prints a warning as errors are: where in the code it came from helps nobody here."""
    print(f"warning: {message}", file=sys.stderr)


def _error(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2
