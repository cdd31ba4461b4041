"""Numbers of things in sentences."""


def counted(number: int, thing: str) -> str:
    """A number and what it counts, whose plural ends in s: 1 episode, 2 episodes."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
