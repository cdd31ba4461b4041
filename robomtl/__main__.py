"""`python -m robomtl`: the same as the `robomtl` command."""

from robomtl.cli import main

if __name__ == "__main__":
    main()
