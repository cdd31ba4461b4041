"""Two losses of two parameters, on which methods can be watched: `robomtl toy`."""

from robomtl.toy.command import ToyConfig, toy

__all__ = ["ToyConfig", "toy"]
