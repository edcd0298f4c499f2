"""Files into the register: read, stage, resolve, batch by batch; a broken import goes on where it stopped.

A batch is one transaction: its customers, links, keys, merges and questions, its audit rows, and the line
up to which the file is in. Source records make it idempotent besides: the same file again changes nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from customers.models import Channel
from resolution.batch.collector import seldom_collecting
from resolution.batch.columns import ColumnMap, map_columns
from resolution.batch.facts import FileFacts, examine, identity_of
from resolution.batch.helper import same_process, second_process
from resolution.batch.prepare import Newcomer, Source
from resolution.batch.reader import open_table
from resolution.batch.records import Record, RecordMaker
from resolution.batch.rejects import RejectsFile
from resolution.batch.table import Refusal, Row, Table
from resolution.errors import InvalidInput
from resolution.models import ImportRun
from resolution.selectors.channels import get_channel
from resolution.services import audit, locks, runs, staging
from resolution.services.find_duplicates import Settled, Settler
from resolution.types import Actor

if TYPE_CHECKING:
    from resolution.batch.helper import Work

BATCH = 2000
_SAMPLE = 200
_TRIES = 3
_REFUSALS_SHOWN = 5
# A row ends as one of these (P6); the rest of the counts says what came of the customers.
ENDS = ("created", "updated", "unchanged", "refused")
# Identifiers that were not linked, by what left them out: a block, a hard limit.
LEFT_OUT = ("links_blocked", "links_refused")


@dataclass(frozen=True, slots=True)
class Opened:
    """A file ready to be imported, before anything is written: what it is, and how its columns are read."""

    facts: FileFacts
    table: Table
    columns: ColumnMap
    channel: Channel

    def options(self) -> dict[str, Any]:
        return {**self.table.described, "columns": self.columns.as_options()}


@dataclass(slots=True)
class Summary:
    """What an import did, in numbers: `rows` every row once, by how it ended, `links` what was left out."""

    run_id: int | None
    resumed_at: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    links: Counter[str] = field(default_factory=Counter)
    settled: Settled = field(default_factory=Settled)
    seconds: float = 0.0
    rejects: Path | None = None
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def rows_read(self) -> int:
        return sum(self.rows[end] for end in ENDS)

    def note_refusals(self, refused: Sequence[Refusal]) -> None:
        self.rows.update(refused=len(refused))
        self.refusals += refused[: max(_REFUSALS_SHOWN - len(self.refusals), 0)]

    def after(self, taken: staging.Taken, refused: Sequence[Refusal], settled: Settled) -> Summary:
        """The summary with one more batch in it; this one stays as it is."""
        later = deepcopy(self)
        later.rows.update(created=taken.created, updated=taken.updated, unchanged=taken.unchanged)
        later.links.update(links_blocked=taken.links_blocked, links_refused=taken.links_refused)
        later.note_refusals(refused)
        later.settled.add(settled)
        return later

    def counts(self) -> dict[str, int]:
        left_out = {name: self.links[name] for name in LEFT_OUT}
        return {end: self.rows[end] for end in ENDS} | left_out | self.settled.counts()


Watch = Callable[[Summary], None]


def _watch_nothing(summary: Summary) -> None:
    return


def open_file(
    *,
    path: Path,
    channel: Channel | str,
    mapping: Sequence[tuple[str, str]] = (),
    delimiter: str = "",
    encoding: str = "",
) -> Opened:
    """Examine a file and decide its columns; writes nothing.

    `mapping` pairs are (field, column). Raises InvalidInput, NotFound or UnknownChannel with what is wrong.
    """
    found = get_channel(channel)
    facts = examine(path, encoding=encoding)
    table = open_table(facts, delimiter=delimiter)
    sample = [row.values for row in islice(table.rows(), _SAMPLE) if isinstance(row, Row)]
    columns = map_columns(table.names, mapping, sample)
    if not sample and next(table.rows(), None) is None:
        raise InvalidInput(f"{path} holds a header and no rows; there is nothing to import.", path=str(path))
    return Opened(facts, table, columns, found)


def preview_import(opened: Opened, *, batch: int = BATCH, watch: Watch = _watch_nothing) -> Summary:
    """Count what an import would do; writes nothing."""
    begun = time.monotonic()
    summary = Summary(run_id=None)
    staging.prepare_staging()
    for rows in _batches(opened, batch):
        taken = staging.count_news(opened.channel, rows.records)
        summary = summary.after(taken, [*rows.refused, *taken.refused], Settled())
        watch(summary)
    summary.seconds = time.monotonic() - begun
    return summary


def import_file(
    opened: Opened,
    *,
    actor: Actor,
    rejects: Path | None = None,
    batch: int = BATCH,
    resolve: bool = True,
    watch: Watch = _watch_nothing,
) -> Summary:
    """Take a file in and resolve its customers against the register and each other.

    An import of the same file, channel and columns that broke off goes on after its last whole batch. Raises
    Refused when the channel is being imported into, InvalidInput when the file changes meanwhile.
    """
    begun = time.monotonic()
    busy = (
        f"Another import into the channel {opened.channel.code} is running; start this one when it is done."
    )
    with runs.one_at_a_time(f"import {opened.channel.pk}", busy):
        run = _find_or_begin(opened, actor)
        work = _Import(opened, run, actor, rejects, resolve)
        with runs.closing(run), seldom_collecting():
            work.take_file(batch, watch)
            _finish(run, work.summary, actor)
    work.summary.seconds = time.monotonic() - begun
    return work.summary


@dataclass(frozen=True, slots=True)
class _Rows:
    """One batch as read: records and refusals, together `size` rows; customers that are being prepared."""

    records: list[Record]
    refused: list[Refusal]
    prepared: Future[dict[str, Newcomer]] | None = None

    @property
    def size(self) -> int:
        return len(self.records) + len(self.refused)


def _find_or_begin(opened: Opened, actor: Actor) -> ImportRun:
    """Go on with the unfinished import of this very file, or begin one; others left running have died."""
    unfinished = ImportRun.objects.filter(channel=opened.channel, state=ImportRun.State.RUNNING)
    broken = (
        ImportRun.objects.filter(channel=opened.channel, file_hash=opened.facts.sha256)
        .order_by("-pk")
        .first()
    )
    if broken and broken.state != ImportRun.State.DONE and _same_columns(broken, opened):
        runs.close_stopped(unfinished.exclude(pk=broken.pk))
        ImportRun.objects.filter(pk=broken.pk).update(
            state=ImportRun.State.RUNNING, error="", finished_at=None
        )
        return broken
    runs.close_stopped(unfinished)
    return ImportRun.objects.create(
        channel=opened.channel,
        file_name=opened.facts.path.name[:255],
        file_hash=opened.facts.sha256,
        options=opened.options(),
        rows_total=opened.table.expected,
        actor_name=actor.name,
    )


def _same_columns(run: ImportRun, opened: Opened) -> bool:
    wanted = opened.options()
    return {name: run.options.get(name) for name in wanted} == wanted


class _Import:
    """One import at work: its file, its run and how far both are."""

    def __init__(
        self, opened: Opened, run: ImportRun, actor: Actor, rejects: Path | None, resolve: bool
    ) -> None:
        self.opened, self.run, self.actor = opened, run, actor
        self.settler = Settler() if resolve else None
        kept = run.options.get("rejects_size", 0)
        self.rejects = RejectsFile(rejects or _rejects_path(opened, run), opened.table.names, size=kept)
        self.summary = Summary(run_id=run.pk, resumed_at=run.rows_done)
        self.summary.rows.update({end: run.counts.get(end, 0) for end in ENDS})
        self.summary.links.update({name: run.counts.get(name, 0) for name in LEFT_OUT})
        self.summary.settled.add_counts(run.counts)

    def take_file(self, batch: int, watch: Watch) -> None:
        """Take batch after batch; those of a former attempt are only noticed."""
        staging.prepare_staging()
        skip = self.run.rows_done
        with self._helper(batch) as work:
            for rows in _prepared_ahead(_batches(self.opened, batch, first=skip), self.opened.channel, work):
                if skip > 0:
                    staging.notice(rows.records)
                    skip -= rows.size
                    continue
                self._take_batch(rows)
                watch(self.summary)
        self.summary.rejects = self.rejects.path if self.rejects.size else None

    def _helper(self, batch: int) -> AbstractContextManager[Work]:
        return second_process() if self.opened.table.expected > 2 * batch else same_process()

    def _take_batch(self, rows: _Rows) -> None:
        """Take one batch in, again from its start when it and another change wait for each other's locks."""
        _refuse_changed_file(self.opened.facts)
        for attempt in range(1, _TRIES + 1):
            try:
                self._try_batch(rows)
            except OperationalError as error:
                if attempt == _TRIES or not locks.is_deadlock(error):
                    raise
                self._forget_try()
            else:
                return

    def _forget_try(self) -> None:
        """Nothing of what was rolled back may be remembered."""
        self.rejects.cut_back(self.run.options.get("rejects_size", 0))
        if self.settler:
            self.settler.forget()

    def _try_batch(self, rows: _Rows) -> None:
        """One transaction; what this object remembers changes only when it has been committed."""
        with audit.change(self.actor) as trail:
            newcomers = rows.prepared.result() if rows.prepared else {}
            taken = staging.take_in(trail, self.opened.channel, rows.records, newcomers, run_id=self.run.pk)
            settled = self.settler.settle(trail, taken.touched, taken.profiles) if self.settler else Settled()
            refused = [*rows.refused, *taken.refused]
            after = self.summary.after(taken, refused, settled)
            self.rejects.write(refused)
            progress = self._progress(after, rows.size)
            ImportRun.objects.filter(pk=self.run.pk).update(**progress)
        self.summary = after
        for name, value in progress.items():
            setattr(self.run, name, value)

    def _progress(self, after: Summary, rows: int) -> dict[str, Any]:
        return {
            "rows_done": self.run.rows_done + rows,
            "counts": after.counts(),
            "options": {**self.run.options, "rejects_size": self.rejects.size},
        }


def _finish(run: ImportRun, summary: Summary, actor: Actor) -> None:
    with audit.change(actor) as trail:
        run.state = ImportRun.State.DONE
        run.rows_total = run.rows_done
        run.counts = summary.counts()
        run.rejects_file = str(summary.rejects or "")[-255:]
        run.finished_at = timezone.now()
        run.save()
        trail.record(
            "import",
            channel_id=run.channel_id,
            method=staging.METHOD,
            import_run=run.pk,
            file_name=run.file_name,
            file_hash=run.file_hash,
            counts=run.counts,
        )


def _rejects_path(opened: Opened, run: ImportRun) -> Path:
    return (
        Path(settings.VAR_DIR)
        / "rejects"
        / f"{run.pk}-{opened.channel.code}-{opened.facts.path.stem[:80]}.csv"
    )


def _refuse_changed_file(facts: FileFacts) -> None:
    if identity_of(facts.path) != facts.identity:
        raise InvalidInput(
            f"{facts.path} changed while it was being read; import it again when it is finished.",
            path=str(facts.path),
        )


def _batches(opened: Opened, size: int, *, first: int = 0) -> Iterator[_Rows]:
    """Cut a file into batches; the rows a former attempt took in (`first`) come as batches of their own."""
    maker = RecordMaker(opened.table.names, opened.columns)
    rows = opened.table.rows()
    left = first
    while chunk := list(islice(rows, min(size, left) if left > 0 else size)):
        left -= len(chunk)
        made = [row if isinstance(row, Refusal) else maker.make(row) for row in chunk]
        yield _Rows(
            [entry for entry in made if isinstance(entry, Record)],
            [entry for entry in made if isinstance(entry, Refusal)],
        )


def _prepared_ahead(batches: Iterator[_Rows], channel: Channel, work: Work) -> Iterator[_Rows]:
    """Have the newcomers of each batch worked out while the one before it is being stored."""
    source = Source(channel.code, channel.default_region)
    waiting: _Rows | None = None
    for rows in batches:
        unknown = staging.records_not_known(channel, rows.records)
        ahead = replace(rows, prepared=work(unknown, source))
        if waiting:
            yield waiting
        waiting = ahead
    if waiting:
        yield waiting
