"""What we are measured beside, each in a process of its own: see `python -m benchmarks.peers --help`."""

from __future__ import annotations
