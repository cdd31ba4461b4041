"""A stand-in for PyRep: what RLBench and robomtl use of it, without CoppeliaSim."""

from pyrep.pyrep import PyRep

__all__ = ["PyRep"]
__version__ = "4.1.0.3"
