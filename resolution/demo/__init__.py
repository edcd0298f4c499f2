"""The demo company: what its systems exported (see benchmarks/make_demo.py), what its customers write."""

from __future__ import annotations

ACTOR_NAME = "demo company"  # in whose name all of it comes in
