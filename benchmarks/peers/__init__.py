"""Other people's tools on the labelled sets, each run in a process of its own: `python -m benchmarks.peers`."""

from __future__ import annotations
