"""Whether everything that robomtl needs is here, and the command that mends what is not.

This package imports no wing and no library that might be broken before it is asked to look at it,
so that it starts where nothing else does.
"""

from robomtl.doctor.command import DoctorConfig, doctor

__all__ = ["DoctorConfig", "doctor"]
