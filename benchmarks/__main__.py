"""Run benchmarks by name, or all of them."""

import importlib
import sys

NAMES = ("simulator", "dataset", "training_step")


def main() -> None:
    chosen = sys.argv[1:] or NAMES
    for name in chosen:
        if name not in NAMES:
            sys.exit(f"error: unknown benchmark {name!r}; valid: {', '.join(NAMES)}")
        importlib.import_module(f"benchmarks.{name}").main()


main()
