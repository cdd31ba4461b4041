from tests.fakes.installed import rlbench

__all__ = ["rlbench"]
