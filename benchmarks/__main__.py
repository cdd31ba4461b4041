"""Run benchmarks by name, or all of them, each in a process of its own."""

import subprocess
import sys

NAMES = ("simulator", "dataset", "training_step", "sac_update", "metaworld")


def main() -> None:
    chosen = sys.argv[1:] or NAMES
    if unknown := [name for name in chosen if name not in NAMES]:
        sys.exit(f"error: unknown benchmarks {unknown}; valid: {', '.join(NAMES)}")
    for name in chosen:
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)


main()
