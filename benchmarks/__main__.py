"""Run benchmarks by name, or all of them, each in a process of its own."""

import subprocess
import sys

NAMES = ("simulator", "dataset", "training_step", "sac_update", "metaworld")


def main() -> None:
    chosen = sys.argv[1:] or NAMES
    for name in chosen:
        if name not in NAMES:
            sys.exit(f"error: unknown benchmark {name!r}; valid: {', '.join(NAMES)}")
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)


main()
