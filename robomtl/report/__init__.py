"""The report of a run: one HTML page that stands alone."""

from robomtl.report.write import ReportConfig, report

__all__ = ["ReportConfig", "report"]
