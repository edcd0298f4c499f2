"""Pure matching."""

from __future__ import annotations
