"""The two steps of an import, each a transaction a batch: rows are taken in, their customers are settled.

A batch that is in is safe; one that was not settled when an import broke off is settled when it goes on. The
steps share no transaction, so the first may run a batch ahead of the second, in a process of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

from django.db.models import F, JSONField, Value
from django.db.models.expressions import CombinedExpression

from customers.models import Channel
from resolution.batch.caches import trim_caches
from resolution.batch.collector import seldom_collecting
from resolution.batch.columns import ColumnMap
from resolution.batch.facts import FileFacts, identity_of
from resolution.batch.pipeline import Later
from resolution.batch.records import Record, RecordMaker
from resolution.batch.rejects import RejectsFile
from resolution.batch.table import Refusal, Table
from resolution.errors import InvalidInput
from resolution.models import ImportRun
from resolution.services import audit, locks, staging
from resolution.services.settle import Settled, Settler
from resolution.services.staged import Taken
from resolution.types import Actor

# A row ends as one of these (P6); the rest of the counts says what came of the customers.
ENDS = ("created", "updated", "unchanged", "refused")
# What was left out of rows that are in: identifiers by a block or a hard limit, birth dates nobody can read.
LEFT_OUT = ("links_blocked", "links_refused", "birth_dates_unread")


@dataclass(frozen=True, slots=True)
class Opened:
    """A file ready to be imported, before anything is written: what it is, and how its columns are read."""

    facts: FileFacts
    table: Table
    columns: ColumnMap
    channel: Channel

    def options(self) -> dict[str, Any]:
        return {**self.table.described, "columns": self.columns.as_options()}


@dataclass(frozen=True, slots=True)
class Rows:
    """One batch as read: records and refusals, together `size` rows."""

    records: list[Record]
    refused: list[Refusal]

    @property
    def size(self) -> int:
        return len(self.records) + len(self.refused)


@dataclass(frozen=True, slots=True)
class Batch:
    """`size` rows that are in the register: what became of them, and the refused ones among them."""

    size: int
    taken: Taken
    refused: Sequence[Refusal] = ()

    def counts(self) -> Counter[str]:
        """How many rows ended which way, and how much of them was left out."""
        taken = self.taken
        return Counter(
            created=taken.created,
            updated=taken.updated,
            unchanged=taken.unchanged,
            refused=len(self.refused),
            links_blocked=taken.links_blocked,
            links_refused=taken.links_refused,
            birth_dates_unread=len(taken.unread),
        )


@dataclass(slots=True)
class Taking:
    """The first step: batch after batch of a file into the register, from where its run stands."""

    opened: Opened
    run: ImportRun
    actor: Actor
    rejects: RejectsFile
    counts: Counter[str] = field(init=False)
    rows_done: int = field(init=False)

    def __post_init__(self) -> None:
        self.counts = Counter({name: self.run.counts.get(name, 0) for name in (*ENDS, *LEFT_OUT)})
        self.rows_done = self.run.rows_done

    def batches(self, size: int) -> Generator[Batch, None, None]:
        """Take batch after batch in and give each once it is; of those in before, what was not settled."""
        staging.prepare_staging()
        place, first, settled = 0, self.run.rows_done, self.run.rows_settled
        for rows in cut_rows(self.opened, size, edges=(settled, first)):
            _refuse_changed_file(self.opened.facts)
            place += rows.size
            if place > first:
                yield locks.retried(partial(self._take, rows), self._forget_try)
                continue
            staging.notice(rows.records)
            if place > settled:
                yield Batch(rows.size, staging.taken_before(self.opened.channel, rows.records))

    def batches_elsewhere(self, size: int) -> Iterator[Batch]:
        """The same in a process that does nothing else."""
        with seldom_collecting():
            for batch in self.batches(size):
                trim_caches()
                yield batch

    def _forget_try(self) -> None:
        self.rejects.cut_back(self.run.options.get("rejects_size", 0))

    def _take(self, rows: Rows) -> Batch:
        """One transaction; what this object remembers changes only when it has been committed."""
        with audit.change(self.actor) as trail:
            taken = staging.take_in(trail, self.opened.channel, rows.records, run_id=self.run.pk)
            batch = Batch(rows.size, taken, [*rows.refused, *taken.refused])
            self.rejects.write([*batch.refused, *taken.unread])
            counts, options = self.counts + batch.counts(), self._options()
            ImportRun.objects.filter(pk=self.run.pk).update(
                rows_done=self.rows_done + rows.size, counts=_with(counts), options=options
            )
        self.counts, self.rows_done, self.run.options = counts, self.rows_done + rows.size, options
        return batch

    def _options(self) -> dict[str, Any]:
        return {**self.run.options, "rejects_size": self.rejects.size}


@dataclass(slots=True)
class Settling:
    """The second step: the customers of a batch compared, merged and asked about.

    Without a `settler` nobody is compared and the batch only counts as done.
    """

    run: ImportRun
    actor: Actor
    settler: Settler | None
    settled: Settled = field(default_factory=Settled)
    rows_settled: int = field(init=False)

    def __post_init__(self) -> None:
        self.settled.add_counts(self.run.counts)
        self.rows_settled = self.run.rows_settled

    def settle(self, batch: Batch) -> Settled:
        """Settle one batch and return what has come of all so far."""
        return locks.retried(partial(self._settle, batch), self._forget_try)

    def _forget_try(self) -> None:
        if self.settler:
            self.settler.forget()

    def _settle(self, batch: Batch) -> Settled:
        with audit.change(self.actor) as trail:
            after = replace(self.settled)
            if self.settler:
                taken, later = batch.taken, Later(batch.taken.last, self.run.channel_id)
                after.add(self.settler.settle(trail, taken.touched, taken.profiles, later))
            rows = self.rows_settled + batch.size
            ImportRun.objects.filter(pk=self.run.pk).update(rows_settled=rows, counts=_with(after.counts()))
        self.settled, self.rows_settled = after, rows
        return after


def cut_rows(opened: Opened, size: int, *, edges: Sequence[int] = ()) -> Generator[Rows, None, None]:
    """Cut a file into batches of at most `size` rows; none reaches over one of the rising `edges`."""
    maker = RecordMaker(opened.table.names, opened.columns)
    rows, place = opened.table.rows(), 0
    while chunk := list(islice(rows, _room(size, place, edges))):
        place += len(chunk)
        made = [row if isinstance(row, Refusal) else maker.make(row) for row in chunk]
        yield Rows(
            [entry for entry in made if isinstance(entry, Record)],
            [entry for entry in made if isinstance(entry, Refusal)],
        )


def _room(size: int, place: int, edges: Sequence[int]) -> int:
    return min([size, *(edge - place for edge in edges if edge > place)])


def _with(counts: dict[str, int]) -> CombinedExpression:
    """The run's counts with these put over them; the other step's stay as they are."""
    return CombinedExpression(F("counts"), "||", Value(dict(counts), output_field=JSONField()))


def _refuse_changed_file(facts: FileFacts) -> None:
    if identity_of(facts.path) != facts.identity:
        raise InvalidInput(
            f"{facts.path} changed while it was being read; import it again when it is finished.",
            path=str(facts.path),
        )
