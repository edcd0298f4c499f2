"""Display filters: codes and numbers as people read them. Wording only; nothing is decided here."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from resolution.selectors.labels import field_label, run_label, told_counts

register = template.Library()

BANDS = {
    "auto": "certain",
    "sample": "almost certain",
    "review": "needs a person",
    "none": "unlikely",
    "": "not scored",
}
BAND_TONES = {"auto": "good", "sample": "fair", "review": "warn", "none": "calm", "": "calm"}
STATE_TONES = {
    "running": "fair", "done": "good", "failed": "bad",
    "active": "good", "shared": "fair", "merged": "calm", "erased": "bad",
    "ended": "calm", "collapsed": "calm",
    "open": "fair", "claimed": "warn", "parked": "calm", "decided": "warn", "returned": "bad",
    "pending": "warn", "approved": "good", "rejected": "bad", "withdrawn": "calm",
    "passed": "good",
    "draft": "calm", "shadow": "warn", "live": "good", "retired": "calm", "shipped": "calm",
    "same": "good", "different": "bad", "related": "fair", "unsure": "warn",
}  # fmt: skip
MINUTE, HOUR, DAY = 60, 3600, 86400
_JOINTS = re.compile(r"(?<=[@.])")


@register.filter
def band_words(band: str) -> str:
    return BANDS.get(band, band)


@register.filter
def band_tone(band: str) -> str:
    return BAND_TONES.get(band, "calm")


@register.filter
def state_tone(state: str) -> str:
    return STATE_TONES.get(state, "calm")


@register.filter
def signed(weight: float | None) -> str:
    """A weight in log2 odds as "+6.2" or "−3.1"; empty when there is none."""
    if weight is None:
        return ""
    shown = round(weight, 1)
    return f"{'−' if shown < 0 else '+'}{abs(shown):.1f}"


@register.filter
def odds(weight: float | None) -> str:
    """A weight as odds a person can weigh: "about 64 to 1 for"."""
    if weight is None:
        return "not scored"
    ratio = 2 ** min(abs(weight), 30)
    shown = "more than a million" if ratio > 1_000_000 else f"about {ratio:,.0f}"
    return f"{shown} to 1 {'for' if weight >= 0 else 'against'}"


@register.filter
def thousands(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


@register.filter
def percent(share: float | None) -> str:
    """A share as "98.6 %"."""
    return "" if share is None else f"{100 * share:.1f} %"


@register.filter
def share(value: float) -> str:
    """A probability with its telling digits and no exponent: "0.76", "0.9999", "0.000012"."""
    digits = max(4, 2 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else "0"


@register.filter
def ago(moment: datetime | None) -> str:
    """A past moment in one unit: "3 h ago"."""
    return f"{_span(timezone.now() - moment)} ago" if moment else ""


@register.filter
def until(moment: datetime | None) -> str:
    """A coming moment in one unit: "in 12 min"; what has passed is "3 h late"."""
    if moment is None:
        return ""
    left = moment - timezone.now()
    return f"in {_span(left)}" if left.total_seconds() >= 0 else f"{_span(-left)} late"


@register.filter
def lease(ends: datetime | None) -> str:
    """How long a claim holds: "the claim ends in 12 min"; one that has lapsed "ran out 3 min ago"."""
    if ends is None:
        return ""
    return f"the claim ends {until(ends)}" if ends >= timezone.now() else f"the claim ran out {ago(ends)}"


@register.filter
def plural(number: int, forms: str) -> str:
    """`3|plural:"message,messages"` is "3 messages"."""
    one, many = forms.split(",")
    return f"{number:,} {one if number == 1 else many}"


@register.filter
def field_words(name: str) -> str:
    """What screens call a field: "birth_date" is "Birth date"."""
    return field_label(name)


@register.filter
def run_words(kind: str) -> str:
    """What screens call a run: "find_duplicates" is "Search for duplicates"."""
    return run_label(kind)


@register.filter
def counts_told(counts: dict[str, int]) -> list[tuple[str, int]]:
    """What a run counted, in words: {"merged": 3} is [("linked at once", 3)]."""
    return told_counts(counts)


@register.filter
def words(code: str) -> str:
    """A code as plain words: "find_duplicates" is "find duplicates"."""
    return str(code).replace("_", " ")


@register.filter
def breakable(text: str) -> SafeString:
    """Text that a narrow column breaks after an "@" or a dot, where an e-mail address reads on."""
    return format_html_join(SafeString("<wbr>"), "{}", ((part,) for part in _JOINTS.split(str(text))))


def _span(delta: timedelta) -> str:
    seconds = int(delta.total_seconds())
    if seconds < MINUTE:
        return "moments"
    if seconds < HOUR:
        return f"{seconds // MINUTE} min"
    if seconds < 2 * DAY:
        return f"{seconds // HOUR} h"
    return f"{seconds // DAY} days"
