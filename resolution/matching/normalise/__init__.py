"""Raw text to canonical text: one total, idempotent function a type.

A canonical value is empty when the text cannot identify or describe anybody; identifiers then also carry
the reason. Nothing here raises on what a user typed, whatever its length, script or encoding.
"""

from __future__ import annotations
