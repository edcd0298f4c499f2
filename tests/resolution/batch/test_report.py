"""The report: both files, every section, nothing fetched, nothing unescaped, numbers in their places."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolution.batch.report import write_report
from resolution.batch.report.charts import path_of
from resolution.batch.report.clusters import group_sizes
from resolution.batch.report.markup import Html, tag
from resolution.batch.report.page import SECTIONS, page_of
from resolution.batch.report.pairs import steps_of
from resolution.batch.report.scales import Linear, Log, nice_ticks
from resolution.batch.report.words import duration, memory, moment, odds, share, weight
from resolution.batch.run_facts import (
    ClusterFact,
    ClusterFacts,
    Counts,
    Histogram,
    PairSample,
    RuleFact,
    RunFacts,
    SampleRow,
    as_json,
)
from tests.resolution.batch.report_facts import busy_run, empty_run, run_of_one_record

RUNS = {"busy": busy_run, "empty": empty_run, "one record": run_of_one_record}
VOID = {"meta", "br", "hr", "wbr"}
NUMBERS = st.floats(-1e6, 1e6)


class Page(HTMLParser):
    """What a page is made of; refuses tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        assert len({key for key, _ in attributes}) == len(attributes), f"{name} says something twice"
        self.elements.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for other, attributes in self.elements if other == name]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module", params=RUNS, ids=str)
def page(request: pytest.FixtureRequest) -> Page:
    return Page(page_of(RUNS[request.param]()))


class TestEveryPage:
    def test_has_every_section_and_a_way_to_it(self, page: Page) -> None:
        keys = [key for key, _, _ in SECTIONS]
        assert [section["id"] for section in page.all("section")] == keys
        assert {f"#{key}" for key in keys} <= {link["href"] for link in page.all("a")}

    def test_leaves_no_section_empty(self, page: Page) -> None:
        assert "None" not in page.text
        assert len(page.all("h2")) == len(SECTIONS)

    def test_fetches_nothing_and_runs_nothing(self, page: Page) -> None:
        names = {name for name, _ in page.elements}
        assert not names & {"script", "link", "img", "iframe", "object", "use", "image", "form"}
        for _, attributes in page.elements:
            assert not [key for key in attributes if key.startswith("on") or key in {"src", "style"}]
            assert (attributes.get("href") or "#").startswith("#")

    def test_names_each_id_once(self, page: Page) -> None:
        ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
        assert len(set(ids)) == len(ids)

    def test_every_table_has_a_caption_and_scoped_heads(self, page: Page) -> None:
        assert len(page.all("table")) == len(page.all("caption"))
        assert {head.get("scope") for head in page.all("th")} <= {"col", "row", "rowgroup"}

    def test_every_chart_has_title_and_description(self, page: Page) -> None:
        ids = {attributes.get("id") for _, attributes in page.elements}
        for drawing in page.all("svg"):
            if drawing.get("role") == "img":
                assert set((drawing["aria-labelledby"] or "").split()) <= ids


class TestOnePage:
    def test_rules_that_found_no_pair_are_one_line(self) -> None:
        facts = busy_run()
        rules = (*facts.blocking.rules, RuleFact("rare_name", "A rare name.", 0, 0, 0, 1))
        page = Page(page_of(replace(facts, blocking=replace(facts.blocking, rules=rules))))
        assert "No pair came from: rare name." in page.text
        assert "A rare name." not in page.text

    def test_pairs_and_customers_are_told_by_name_and_id(self) -> None:
        row = SampleRow("given_name", "anna", "ann", "variant", "", 4.0)
        pair = PairSample("r1", "r2", 4.0, 0.9, "auto", (row,))
        cluster = ClusterFact("r7", 3, "", ("r7 · boris",), who="boris okonkwo")
        facts = replace(busy_run(), samples=(pair,), clusters=ClusterFacts(largest=(cluster,)))
        text = Page(page_of(facts)).text
        assert "anna and ann r1 and r2" in text
        assert "3 records boris okonkwo r7" in text

    def test_one_weight_alone_draws_no_curve(self) -> None:
        facts = busy_run()
        curve = facts.threshold.curve[:1]
        page = Page(page_of(replace(facts, threshold=replace(facts.threshold, curve=curve))))
        assert "All pairs have one weight" in page.text

    def test_the_style_sheet_fetches_nothing(self) -> None:
        style = page_of(empty_run()).partition("<style>")[2].partition("</style>")[0]
        assert not re.search(r"url\(|@import|//", style)

    @pytest.mark.parametrize(
        ("counts", "words"),
        [
            (busy_run().counts, "1,000,000 records are 431,210 customers; 12,004 pairs are worth a look"),
            (Counts(records=1, clusters=1), "1 record is 1 customer; no pair is left to look at"),
            (
                Counts(records=2, clusters=1, review_pairs=1),
                "2 records are 1 customer; 1 pair is worth a look",
            ),
            (Counts(), "The files hold no records"),
        ],
    )
    def test_the_headline_says_the_outcome(self, counts: Counts, words: str) -> None:
        text = page_of(replace(empty_run(), counts=counts))
        assert f"<h1>{words}</h1>" in text
        assert f"<title>{words}</title>" in text

    def test_says_what_deserves_a_look(self) -> None:
        text = Page(page_of(busy_run())).text
        assert "1,203 records could not be compared" in text
        assert "1,932 records share “info@example.com”" in text
        assert "Hardly ever filled: company." in text
        assert "6.8 % of the records hold too little" in text.replace("\N{NO-BREAK SPACE}", " ")

    def test_shows_values_as_they_are(self) -> None:
        text = page_of(busy_run())
        assert "&lt;b&gt;Maria&lt;/b&gt;" in text
        assert "<b>Maria" not in text

    def test_no_text_of_any_fact_can_become_markup(self) -> None:
        nasty = '"><script>alert(1)</script>&amp;${x}$style'
        page = Page(page_of(poisoned(busy_run(), nasty)))
        assert not page.all("script")
        assert page.text.count(nasty) > 50

    def test_weights_that_are_no_numbers_are_dashes(self) -> None:
        run = busy_run()
        level = replace(run.model.comparisons[0].levels[0], weight=-math.inf, m=0.0, household=0.0)
        comparison = replace(run.model.comparisons[0], levels=(level,))
        row = SampleRow("email", "a", "b", "different", "", math.nan)
        sample = PairSample("a", "b", math.nan, math.nan, "review", (row,))
        run = replace(run, model=replace(run.model, comparisons=(comparison,)), samples=(sample,))

        page = Page(page_of(run))

        assert not re.search(r"\b(nan|inf)\b", page.text)
        for _, attributes in page.elements:
            assert not re.search(r"\b(nan|inf)\b", f"{attributes.get('x')} {attributes.get('width')}")


def poisoned(value: Any, text: str) -> Any:
    """The same facts with every text in them replaced."""
    if isinstance(value, str):
        return text
    if isinstance(value, tuple):
        return tuple(poisoned(inner, text) for inner in value)
    if isinstance(value, dict):
        return {f"{text}{key}": poisoned(inner, text) for key, inner in value.items()}
    if is_dataclass(value):
        return replace(
            value, **{entry.name: poisoned(getattr(value, entry.name), text) for entry in fields(value)}
        )
    return value


class TestFiles:
    def test_json_holds_all_the_facts(self, tmp_path: Path) -> None:
        write_report(busy_run(), tmp_path / "new" / "folder")

        text = (tmp_path / "new" / "folder" / "report.json").read_text(encoding="utf-8")

        assert json.loads(text) == as_json(busy_run())
        assert json.loads(text)["samples"][0]["rows"][0]["left"] == "Anna"
        assert set(json.loads(text)) == {entry.name for entry in fields(RunFacts)}

    def test_json_has_null_for_what_is_no_number(self) -> None:
        run = replace(empty_run(), timings={"read": math.inf})
        assert json.loads(json.dumps(as_json(run), allow_nan=False))["timings"] == {"read": None}

    def test_both_are_for_their_owner(self, tmp_path: Path) -> None:
        write_report(empty_run(), tmp_path)
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}

    def test_half_a_character_does_not_break_it(self, tmp_path: Path) -> None:
        write_report(replace(empty_run(), notes=("\ud83d",)), tmp_path)
        assert "<li>?</li>" in (tmp_path / "report.html").read_text(encoding="utf-8")

    def test_a_histogram_needs_an_edge_more_than_counts(self) -> None:
        with pytest.raises(ValueError, match="2 counts need 3 edges, not 2"):
            Histogram((0.0, 1.0), (1, 2))


class TestScales:
    @given(NUMBERS, NUMBERS, st.lists(NUMBERS, min_size=2))
    def test_linear_keeps_order_and_stays_inside(self, low: float, high: float, values: list[float]) -> None:
        scale = Linear(min(low, high), max(low, high))
        places = [scale.at(value) for value in sorted(values)]
        assert places == sorted(places)
        assert all(0 <= place <= 100 for place in places)

    @given(st.floats(0, 1))
    def test_linear_puts_a_share_at_its_share(self, part: float) -> None:
        assert Linear(-10, 30, start=220, end=20).at(-10 + 40 * part) == pytest.approx(220 - 200 * part)

    @given(st.integers(1, 10**12), st.lists(st.integers(0, 10**12), min_size=2))
    def test_log_keeps_order_and_shows_a_single_pair(self, high: int, values: list[int]) -> None:
        scale = Log(high)
        places = [scale.at(value) for value in sorted(values)]
        assert places == sorted(places)
        assert scale.at(0) == 0 < scale.at(1)
        assert scale.at(high) == pytest.approx(100)

    @given(st.integers(0, 10))
    def test_each_power_of_ten_is_as_far_from_the_last(self, power: int) -> None:
        scale = Log(10**12)
        steps = [scale.at(10 ** (at + 1)) - scale.at(10**at) for at in (power, power + 1)]
        assert steps[0] == pytest.approx(steps[1])

    @given(NUMBERS, st.floats(1e-3, 1e6), st.integers(2, 9))
    def test_ticks_are_few_even_and_inside(self, low: float, width: float, most: int) -> None:
        ticks = nice_ticks(low, low + width, most=most)
        assert len(ticks) <= most
        assert all(low - 1e-6 * width <= tick <= low + width * (1 + 1e-6) for tick in ticks)
        gaps = [right - left for left, right in pairwise(ticks)]
        assert gaps == pytest.approx(gaps[:1] * len(gaps), rel=1e-6)

    @given(st.lists(st.tuples(NUMBERS, st.floats(0, 1)), min_size=1))
    def test_a_line_goes_through_every_point(self, points: list[tuple[float, float]]) -> None:
        path = path_of(points, Linear(-1e6, 1e6), Linear(0, 1, start=220, end=0))
        assert len(re.findall("[ML]", path)) == len(points)
        assert path.startswith("M")


class TestWaterfall:
    @given(st.lists(st.floats(-20, 20), max_size=8), st.floats(-30, 0), st.floats(-50, 50))
    def test_steps_lead_from_the_prior_to_the_weight(
        self, weights: list[float], prior: float, total: float
    ) -> None:
        rows = tuple(SampleRow("email", "a", "b", "exact", "", each) for each in weights)

        first, *middle, last = steps_of(PairSample("a", "b", total, 0.5, "auto", rows), prior)

        ends = [first.end, *(step.end for step in middle)]
        assert first.end == prior
        assert [step.start for step in middle] == ends[:-1]
        assert ends[-1] == pytest.approx(total, abs=0.05)
        assert last.end == total


class TestSizes:
    @given(st.dictionaries(st.integers(1, 10**6), st.integers(1, 1000)))
    def test_no_customer_and_no_record_is_lost(self, sizes: dict[int, int]) -> None:
        rows = group_sizes(sizes.items())
        assert sum(customers for _, customers, _ in rows) == sum(sizes.values())
        assert sum(records for _, _, records in rows) == sum(size * number for size, number in sizes.items())

    def test_large_sizes_share_rows(self) -> None:
        rows = group_sizes([(2, 5), (7, 1), (10, 1), (200_000, 1)])
        assert [name for name, _, _ in rows] == ["2", "7 to 10", "100,001 and more"]


class TestWords:
    @pytest.mark.parametrize(
        ("value", "words"),
        [
            (0, "0 %"), (1, "100 %"), (0.5, "50 %"), (0.99999, "99.99 %"), (0.00005, "0.005 %"),
            (1e-12, "< 0.000001 %"), (None, "–"), (math.nan, "–"),
        ],
    )  # fmt: skip
    def test_shares(self, value: float | None, words: str) -> None:
        assert share(value).replace("\N{NO-BREAK SPACE}", " ") == words

    def test_weights_odds_times_and_memory(self) -> None:
        assert [weight(each) for each in (12.34, -3.0, -0.01, math.inf)] == ["+12.3", "−3.0", "0.0", "–"]
        assert [odds(each) for each in (0, 10, -5, 20)] == ["1:1", "1,000:1", "1:32", "10⁶:1"]
        assert [duration(each) for each in (0.4, 59.97, 7500)] == ["0.40 s", "1 min 00 s", "2 h 05 min"]
        assert [memory(each) for each in (900, 2048)] == ["900 MiB", "2.0 GiB"]
        assert moment("2026-11-23T06:50:52+00:00") == "23 November 2026, 06:50 UTC"
        assert moment("yesterday") == "yesterday"


class TestMarkup:
    @given(st.text())
    def test_what_goes_in_comes_out_as_text(self, text: str) -> None:
        assert list(_texts(tag("p", text, title=text))) == [text] * bool(text)

    def test_markup_is_not_escaped_again(self) -> None:
        assert tag("p", tag("b", "&"), None, ["x", Html("<br>")]) == "<p><b>&amp;</b>x<br></p>"


def _texts(html: str) -> Iterator[str]:
    page = Page(html.replace("\r", "&#13;"))
    assert [name for name, _ in page.elements] == ["p"]
    if page.texts:
        yield "".join(page.texts)
