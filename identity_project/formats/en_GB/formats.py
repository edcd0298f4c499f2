"""As every screen writes them: 28 Nov 2026 19:20, in 24 hours."""

from __future__ import annotations

TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j M Y H:i"
