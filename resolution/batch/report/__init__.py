"""The report of a deduplication run: `report.json` for programs, `report.html` for people.

The page is one file without script or anything fetched; it reads on a telephone, on paper and in the dark.
"""

from __future__ import annotations

from resolution.batch.report.page import write_report

__all__ = ["write_report"]
