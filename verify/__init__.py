"""The judge: is somebody's implementation right, and if not, where does it first go wrong, and why?

    report = verify.check("adam", my_candidate)
    report.ok, report.verdict, report.divergence, report.coverage, report.explanations
"""

from .case import Case, Layout, read_steps, write_steps
from .cases import cases
from .check import check, judge_steps
from .procedures import PROCEDURES
from .report import Report

__all__ = ["PROCEDURES", "Case", "Layout", "Report", "cases", "check", "judge_steps", "read_steps", "write_steps"]
