"""The service report: finished data, ready to be shown; `assembly` runs the loop once over one source's cases.

No sentence here names a cause, and none says "improved": a difference is a signal or a wobble, and only a
proof may say more.
"""

from wellserved.report.contents import BriefLine, BriefPart, Finding, Report, Section, Table, Tone

__all__ = ["BriefLine", "BriefPart", "Finding", "Report", "Section", "Table", "Tone"]
