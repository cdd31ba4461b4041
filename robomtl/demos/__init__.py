"""`robomtl demos`: demonstrations in other formats, and whether they are whole."""

from robomtl.demos.check import DemosCheckConfig, check_demos
from robomtl.demos.export import DemosExportConfig, export_demos

__all__ = ["DemosCheckConfig", "DemosExportConfig", "check_demos", "export_demos"]
