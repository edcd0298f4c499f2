"""manage.py dedupe INPUT… --out DIR: files to clusters, for analysts; needs no database."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from resolution.batch.dedupe import ENGINES, KEEP, Options, Outcome, Stages, dedupe_files
from resolution.batch.dedupe_facts import facts_of, sample_of
from resolution.batch.outputs import write_outputs
from resolution.batch.report import write_report
from resolution.batch.run_facts import RunFacts
from resolution.errors import IdentityError, InvalidInput
from resolution.management.console import console, peak_memory_mib, progress, show_table, visible
from resolution.matching.kernel import score_pair
from resolution.types import FieldEvidence

_COLUMNS_SHOWN = 60


class Command(BaseCommand):
    help = (
        "Find the records of CSV or Parquet files that are one customer. Needs no database and no configuration:"
        " columns are guessed, weights are learnt from the records, and the threshold is chosen by what to expect."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("inputs", nargs="+", type=Path, metavar="INPUT", help="CSV or Parquet files")
        parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the results go")
        parser.add_argument("--id", default="", metavar="COL", help="column of the records' ids")
        parser.add_argument(
            "--map",
            dest="mapping",
            action="append",
            default=[],
            type=_mapping,
            metavar="FIELD=COLUMN",
            help="which column is which field; FIELD= drops one, extra:NAME=COLUMN compares any other",
        )
        parser.add_argument(
            "--link-only",
            action="store_true",
            help="each file is free of duplicates: compare across files only",
        )
        parser.add_argument("--model", type=Path, help="a model.json to use instead of learning one")
        parser.add_argument(
            "--labels",
            type=Path,
            help="pairs (id_a, id_b, same) or clusters (record_id, cluster_id) you know",
        )
        parser.add_argument(
            "--threshold",
            type=float,
            metavar="W",
            help="match weight from which to link, log2 odds; else chosen",
        )
        parser.add_argument(
            "--keep", type=float, default=KEEP, metavar="W", help=f"lowest match weight to write ({KEEP:g})"
        )
        parser.add_argument("--engine", default=ENGINES[0], help=f"one of: {', '.join(ENGINES)}")
        parser.add_argument("--seed", type=int, default=1, help="of the samples that learning takes (1)")
        parser.add_argument(
            "--explain",
            type=_two_ids,
            metavar="A,B",
            help="say why two records are, or are not, one customer",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._run(options)
        except IdentityError as error:
            raise CommandError(str(error)) from error
        except MemoryError as error:
            raise CommandError("There is not enough memory; give fewer records at a time.") from error

    def _run(self, options: dict[str, Any]) -> None:
        started = datetime.now(UTC)
        asked = _options(options)
        with progress() as note:
            outcome = dedupe_files(asked, watch=note)
            stages = Stages(note, dict(outcome.timings))
            with stages.stage("write"):
                write_outputs(outcome, options["out"])
            facts = facts_of(
                outcome,
                version=_version(),
                started=started.isoformat(timespec="seconds"),
                options=_as_given(asked, options["out"]),
                timings=stages.seconds,
                peak=peak_memory_mib(),
            )
            write_report(facts, options["out"])
        _show_columns(facts)
        _show_summary(facts, options["out"])
        if options["explain"]:
            _explain(outcome, *options["explain"])


def _options(given: dict[str, Any]) -> Options:
    return Options(
        inputs=tuple(given["inputs"]),
        id_column=given["id"],
        mapping=tuple(given["mapping"]),
        link_only=given["link_only"],
        model=given["model"],
        labels=given["labels"],
        threshold=given["threshold"],
        keep=given["keep"],
        engine=given["engine"],
        seed=given["seed"],
    )


def _mapping(text: str) -> tuple[str, str]:
    field, sign, column = text.partition("=")
    if not sign or not field:
        raise ArgumentTypeError(f"{text!r} is not FIELD=COLUMN, such as given_name=first_name")
    return field.strip(), column.strip()


def _two_ids(text: str) -> tuple[str, str]:
    left, sign, right = text.partition(",")
    if not sign or not left.strip() or not right.strip():
        raise ArgumentTypeError(f"{text!r} is not two ids with a comma between")
    return left.strip(), right.strip()


def _version() -> str:
    try:
        return version("identity-desk")
    except PackageNotFoundError:
        return "1.0.0"


def _as_given(asked: Options, out: Path) -> dict[str, str]:
    given = {
        "out": str(out),
        "keep": f"{asked.keep:g}",
        "seed": str(asked.seed),
        "id": asked.id_column,
        "map": ", ".join(f"{field}={column}" for field, column in asked.mapping),
        "link-only": "yes" if asked.link_only else "",
        "model": str(asked.model or ""),
        "labels": str(asked.labels or ""),
        "threshold": "" if asked.threshold is None else f"{asked.threshold:g}",
    }
    return {name: value for name, value in given.items() if value}


def _show_columns(facts: RunFacts) -> None:
    rows = [
        (visible(use.column), use.field or "not compared", use.how, visible(use.example)[:40])
        for use in facts.columns[:_COLUMNS_SHOWN]
    ]
    show_table("How the columns are read", ("column", "field", "known by", "example"), rows)


def _show_summary(facts: RunFacts, out: Path) -> None:
    counts, threshold = facts.counts, facts.threshold
    console.print(
        f"{counts.records:,} records are {counts.clusters:,} customers: {counts.linked_pairs:,} pairs linked from"
        f" match weight {threshold.weight:.1f} on, {counts.review_pairs:,} more are worth a look."
    )
    if threshold.precision is not None and threshold.recall is not None:
        console.print(
            f"The model expects {threshold.precision:.1%} of the links to be right and {threshold.recall:.1%} of"
            " the pairs it was shown to be found."
        )
    for note in facts.notes:
        console.print(note, markup=False)
    seconds = ", ".join(f"{name} {took:.1f}" for name, took in facts.timings.items())
    console.print(
        f"{sum(facts.timings.values()):.1f} s ({seconds}), {facts.peak_memory_mib:,} MiB at most."
        f" Open {out / 'report.html'}.",
        markup=False,
    )


def _explain(outcome: Outcome, left: str, right: str) -> None:
    places = {str(key): row for row, key in enumerate(outcome.loaded.ids)}
    for key in (left, right):
        if key not in places:
            raise InvalidInput(
                f"There is no record {key[:80]!r} to explain; ids are such as {next(iter(places), '')!r}."
            )
    profiles = outcome.loaded.profile(places[left]), outcome.loaded.profile(places[right])
    score = score_pair(outcome.trained.model, *profiles)
    sample = sample_of(score, outcome.threshold)
    together = outcome.clusters.labels[places[left]] == outcome.clusters.labels[places[right]]
    rows = [_evidence(entry) for entry in score.fields]
    show_table(f"{left} and {right}", ("field", "left", "right", "what", "bits"), rows)
    console.print(
        f"Match weight {sample.weight:.2f}, probability {sample.probability:.4f}, band {sample.band};"
        f" {'one cluster' if together else 'two clusters'}.",
        markup=False,
    )


def _evidence(entry: FieldEvidence) -> tuple[str, str, str, str, float]:
    return entry.field, visible(entry.left), visible(entry.right), entry.detail, round(entry.weight, 2)
