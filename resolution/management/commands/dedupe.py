"""manage.py dedupe INPUT… --out DIR: files to clusters, for analysts; needs no database."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from resolution.batch.dedupe import (
    ENGINES,
    KEEP,
    Options,
    Outcome,
    Stages,
    check_options,
    dedupe_loaded,
    load_inputs,
    rows_to_explain,
)
from resolution.batch.dedupe_facts import facts_of, sample_of
from resolution.batch.load import Loaded
from resolution.batch.outputs import results_in, told_as_refusal, write_outputs
from resolution.batch.report import overview, words, write_report
from resolution.batch.run_facts import RunFacts
from resolution.errors import IdentityError
from resolution.management.console import (
    STOPPED,
    peak_memory_mib,
    progress,
    say,
    show_table,
    stoppable,
    visible,
)
from resolution.matching.kernel import score_pair
from resolution.types import FieldEvidence

_COLUMNS_SHOWN, _EXAMPLE_SHOWN = 60, 40


class Command(BaseCommand):
    help = (
        "Find the records of CSV or Parquet files that are one customer. Needs no database and no"
        " configuration: columns are guessed, weights are learnt from the records, the threshold is chosen"
        " by what to expect. docs/dedupe.md tells all."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("inputs", nargs="+", type=Path, metavar="INPUT", help="CSV or Parquet files")
        parser.add_argument("--out", type=_folder, required=True, metavar="DIR", help="where the results go")
        parser.add_argument("--id", default="", metavar="COL", help="column of the records' ids")
        parser.add_argument(
            "--map",
            dest="mapping",
            action="extend",
            nargs="+",
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
        parser.add_argument("--delimiter", default="", help="of CSV files: one character, or tab; else found")
        parser.add_argument("--encoding", default="", help="of CSV files, such as cp1250; else found")
        parser.add_argument("--engine", default=ENGINES[0], help=f"one of: {', '.join(ENGINES)}")
        parser.add_argument("--seed", type=int, default=1, help="of the samples that learning takes (1)")
        parser.add_argument(
            "--explain",
            default="",
            metavar="A,B",
            help="say why two records are, or are not, one customer",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        out = options["out"]
        try:
            with stoppable():
                self._run(_options(options), out)
        except IdentityError as error:
            raise CommandError(str(error)) from error
        except MemoryError as error:
            raise CommandError("There is not enough memory; give fewer records at a time.") from error
        except KeyboardInterrupt:
            raise CommandError(f"Stopped. Nothing in {out} was changed.", returncode=STOPPED) from None

    def _run(self, asked: Options, out: Path) -> None:
        started = datetime.now(UTC).isoformat(timespec="seconds")
        stages = Stages()
        check_options(asked)
        with results_in(out) as place:
            with progress() as stages.watch:
                loaded = load_inputs(asked, stages)
            _show_columns(loaded)
            with progress() as stages.watch:
                outcome = dedupe_loaded(asked, loaded, stages)
                with stages.stage("write"), told_as_refusal(out):
                    write_outputs(outcome, place)
                with stages.stage("report"), told_as_refusal(out):
                    facts = facts_of(
                        outcome,
                        version=_version(),
                        started=started,
                        options=_as_given(asked, out),
                        timings=stages.seconds,
                        peak=peak_memory_mib(),
                    )
                    write_report(facts, place)
        _show_summary(facts, stages.seconds, out)
        if asked.explain:
            _explain(outcome)


def _folder(text: str) -> Path:
    if not text:
        raise ArgumentTypeError("it is empty; name a folder, or . for this one")
    return Path(text)


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
        explain=given["explain"],
        delimiter=given["delimiter"],
        encoding=given["encoding"],
    )


def _mapping(text: str) -> tuple[str, str]:
    field, sign, column = text.partition("=")
    if not sign or not field:
        raise ArgumentTypeError(
            f"{text!r} is not FIELD=COLUMN, such as given_name=first_name (name the files before --map)"
        )
    return field.strip(), column.strip()


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
        "delimiter": asked.delimiter,
        "encoding": asked.encoding,
        "threshold": "" if asked.threshold is None else f"{asked.threshold:g}",
    }
    return {name: value for name, value in given.items() if value}


def _show_columns(loaded: Loaded) -> None:
    rows = [
        (visible(use.column), use.field or "not compared", use.how, visible(use.example)[:_EXAMPLE_SHOWN])
        for use in loaded.columns[:_COLUMNS_SHOWN]
    ]
    show_table("How the columns are read", ("column", "field", "known by", "example"), rows)
    if more := len(loaded.columns) - len(rows):
        say(f"{words.many(more, 'further column')} not shown; all are in report.html.")
    for note in loaded.notes:
        say(note)


def _show_summary(facts: RunFacts, seconds: Mapping[str, float], out: Path) -> None:
    say(f"{overview.headline(facts)}.")
    say(f"{words.many(facts.counts.linked_pairs, 'pair')} linked, from match weight {_weight(facts)} on.")
    if expectation := overview.expectation(facts):
        say(expectation)
    for remark in (*facts.model.notes, *overview.remarks(facts)):
        say(remark)
    stages = ", ".join(f"{name} {took:.1f}" for name, took in seconds.items())
    say(
        f"{sum(seconds.values()):.1f} s ({stages}), {facts.peak_memory_mib:,} MiB at most."
        f" Open {out / 'report.html'}."
    )


def _weight(facts: RunFacts) -> str:
    return words.weight(facts.threshold.weight)


def _explain(outcome: Outcome) -> None:
    left, right = rows_to_explain(outcome.loaded, outcome.options.explain)
    score = score_pair(outcome.trained.model, outcome.loaded.profile(left), outcome.loaded.profile(right))
    sample = sample_of(score, outcome.threshold)
    together = outcome.clusters.labels[left] == outcome.clusters.labels[right]
    rows = [_evidence(entry) for entry in score.fields]
    title = visible(f"{sample.a} and {sample.b}")
    show_table(title, ("field", sample.a, sample.b, "what", "bits"), rows)
    say(
        f"Match weight {words.weight(sample.weight, places=2)}, probability {sample.probability:.4f}, band"
        f" {sample.band}; {'one cluster' if together else 'two clusters'}."
    )


def _evidence(entry: FieldEvidence) -> tuple[str, str, str, str, float]:
    return entry.field, visible(entry.left), visible(entry.right), entry.detail, round(entry.weight, 2)
