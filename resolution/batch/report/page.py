"""The whole page: its sections in order, put into the template; and the two files of a report."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from string import Template

from resolution.batch.report import blocking, clusters, inputs, overview, pairs, run, weights
from resolution.batch.report.markup import Html, Inside, tag
from resolution.batch.run_facts import RunFacts, as_json

_HERE = Path(__file__).parent
# Anchor, heading, what fills it.
SECTIONS: tuple[tuple[str, str, Callable[[RunFacts], Inside]], ...] = (
    ("attention", "Worth a look first", overview.attention),
    ("inputs", "Files and columns", inputs.inputs),
    ("completeness", "How full the fields are", inputs.completeness),
    ("blocking", "Which pairs were compared", blocking.blocking),
    ("model", "The model and its weights", weights.model),
    ("weights", "How the weights spread", weights.histogram),
    ("thresholds", "What a threshold gives", weights.threshold),
    ("pairs", "Sample pairs", pairs.pairs),
    ("clusters", "Customers found", clusters.clusters),
    ("unlinkable", "Records that hold too little", weights.unlinkable),
    ("timings", "Time and memory", run.timings),
    ("settings", "Settings", run.settings),
    ("reading", "How to read this", run.reading),
)


def write_report(facts: RunFacts, folder: Path) -> None:
    """Write `report.json` and `report.html` into a folder, made where it is missing; both hold personal data
    and are for their owner's eyes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "report.json", json.dumps(as_json(facts), indent=1, ensure_ascii=False) + "\n")
    _write(folder / "report.html", page_of(facts))


def _write(path: Path, text: str) -> None:
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        # A value may hold half of a surrogate pair, which no file can.
        file.write(text.encode("utf-8", "replace").decode())


def page_of(facts: RunFacts) -> str:
    """Lay out all sections as one HTML page."""
    headline = overview.headline(facts)
    return Template((_HERE / "report.html").read_text(encoding="utf-8")).substitute(
        title=tag("title", headline),
        style=(_HERE / "report.css").read_text(encoding="utf-8"),
        headline=tag("h1", headline),
        provenance=tag("p", overview.provenance(facts), class_="provenance"),
        numbers=overview.key_numbers(facts),
        contents=tag("ol", (_entry(key, heading) for key, heading, _ in SECTIONS)),
        sections="\n".join(_section(key, heading, fill(facts)) for key, heading, fill in SECTIONS),
    )


def _entry(key: str, heading: str) -> Html:
    return tag("li", tag("a", heading, href=f"#{key}"))


def _section(key: str, heading: str, body: Inside) -> Html:
    return tag(
        "section", tag("h2", heading, id=f"{key}-heading"), body, id=key, aria_labelledby=f"{key}-heading"
    )
