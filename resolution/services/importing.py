"""Files into the register: read, stage, resolve, batch by batch; a broken import goes on where it stopped.

A batch is two transactions (see `import_steps`): its customers, links and keys, and the line up to which the
file is in; then its merges and questions. Source records make an import idempotent besides: the same file
again changes nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from customers.models import Channel
from resolution.batch.ahead import one_ahead
from resolution.batch.collector import seldom_collecting
from resolution.batch.columns import map_columns
from resolution.batch.facts import examine
from resolution.batch.reader import open_table
from resolution.batch.rejects import RejectsFile
from resolution.batch.table import Refusal, Row
from resolution.errors import InvalidInput, Refused
from resolution.models import ImportRun
from resolution.selectors.channels import get_channel
from resolution.services import audit, runs, staging
from resolution.services.import_steps import ENDS, LEFT_OUT, Batch, Opened, Settling, Taking, cut_rows
from resolution.services.settle import Settled, Settler
from resolution.services.staged import METHOD
from resolution.types import Actor

BATCH = 2000
_SAMPLE = 200
_SHORT_FILE = 2  # batches
_REFUSALS_SHOWN = 5


@dataclass(slots=True)
class Summary:
    """What an import did, in numbers: `rows` every row once, by how it ended, `left_out` what of them was not
    taken, `refusals` the first rows refused and `unread` the first birth date that could not be read."""

    run_id: int | None
    resumed_at: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    settled: Settled = field(default_factory=Settled)
    seconds: float = 0.0
    rejects: Path | None = None
    refusals: list[Refusal] = field(default_factory=list)
    unread: Refusal | None = None

    @property
    def rows_read(self) -> int:
        return sum(self.rows[end] for end in ENDS)

    def note_refusals(self, refused: Sequence[Refusal]) -> None:
        self.refusals += refused[: max(_REFUSALS_SHOWN - len(self.refusals), 0)]

    def after(self, batch: Batch, settled: Settled) -> Summary:
        """The summary with one more batch in it and all that was settled; this one stays as it is."""
        later, counts = deepcopy(self), batch.counts()
        later.rows.update({end: counts[end] for end in ENDS})
        later.left_out.update({name: counts[name] for name in LEFT_OUT})
        later.note_refusals(batch.refused)
        later.unread = later.unread or min(batch.taken.unread, key=lambda entry: entry.line, default=None)
        later.settled = settled
        return later

    def counts(self) -> dict[str, int]:
        left_out = {name: self.left_out[name] for name in LEFT_OUT}
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
    for rows in cut_rows(opened, batch):
        taken = staging.count_news(opened.channel, rows.records)
        summary = summary.after(Batch(rows.size, taken, [*rows.refused, *taken.refused]), Settled())
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
    Refused when the channel is being imported into, or one that broke off would go on another way;
    InvalidInput when the file changes meanwhile, or `rejects` names it or another that holds something.
    """
    begun = time.monotonic()
    _refuse_own_file(opened, rejects)
    busy = (
        f"Another import into the channel {opened.channel.code} is running; start this one when it is done."
    )
    with runs.one_at_a_time(f"import {opened.channel.pk}", busy):
        run = _find_or_begin(opened, _Choices(resolve, rejects), actor)
        kept = run.options.get("rejects_size", 0)
        file = RejectsFile(_rejects_path(opened, run), opened.table.names, size=kept)
        taking = Taking(opened, run, actor, file)
        settling = Settling(run, actor, Settler() if resolve else None)
        with runs.closing(run), seldom_collecting():
            summary = _walk(taking, settling, batch, watch)
            run.refresh_from_db()
            summary.rejects = file.path if run.options.get("rejects_size") else None
            _finish(run, summary, actor)
    summary.seconds = time.monotonic() - begun
    return summary


def _walk(taking: Taking, settling: Settling, batch: int, watch: Watch) -> Summary:
    """Settle batch after batch as they are in; the summary is of all the run has done."""
    summary = Summary(taking.run.pk, resumed_at=taking.run.rows_done, settled=settling.settled)
    summary.rows.update({end: taking.counts[end] for end in ENDS})
    summary.left_out.update({name: taking.counts[name] for name in LEFT_OUT})
    with _steps(taking, batch) as batches:
        for taken in batches:
            summary = summary.after(taken, settling.settle(taken))
            watch(summary)
    return summary


@contextmanager
def _steps(taking: Taking, batch: int) -> Iterator[Iterator[Batch]]:
    """The batches of a long file are taken in by a second process, while the one before is settled.

    Inside somebody's transaction, whose rows no other session sees, and for short files they come in turn.
    """
    long = taking.opened.table.expected > _SHORT_FILE * batch
    if long and not connection.in_atomic_block:
        with one_ahead(partial(taking.batches_elsewhere, batch)) as batches:
            yield batches
    else:
        with closing(taking.batches(batch)) as batches:
            yield batches


@dataclass(frozen=True, slots=True)
class _Choices:
    """How an import is to be done; once rows are in, the same way to its end."""

    resolve: bool
    rejects: Path | None

    def options(self) -> dict[str, Any]:
        return {"resolve": self.resolve, "rejects": str(self.rejects.absolute()) if self.rejects else ""}

    def check_same(self, opened: Opened, run: ImportRun) -> None:
        """Raise Refused, naming both, when the run was begun another way than it would go on."""
        begun = f"The import of {opened.facts.path} that broke off after row {run.rows_done:,}"
        if self.resolve != run.options.get("resolve", True):
            ways = ("without looking for duplicates (--no-resolve)", "looking for duplicates")
            before, now = ways if self.resolve else reversed(ways)
            raise Refused(
                f"{begun} was begun {before} and would go on {now}; go on as it was begun, and let "
                "find_duplicates compare afterwards what was not."
            )
        kept = _rejects_path(opened, run)
        if self.rejects and self.rejects.absolute() != kept.absolute():
            raise Refused(
                f"{begun} keeps its refused rows in {kept}, and {self.rejects} was named now; name the same "
                "file, or none."
            )


def _find_or_begin(opened: Opened, choices: _Choices, actor: Actor) -> ImportRun:
    """Go on with the unfinished import of this very file, or begin one; others left running have died."""
    broken = _broken_off(opened)
    if broken and broken.rows_done:
        choices.check_same(opened, broken)
    elif not (broken and broken.options.get("rejects") == choices.options()["rejects"]):
        _refuse_filled(choices.rejects)
    unfinished = ImportRun.objects.filter(channel=opened.channel, state=ImportRun.State.RUNNING)
    runs.close_stopped(unfinished.exclude(pk=broken.pk) if broken else unfinished)
    if broken:
        return _go_on(broken, choices)
    return ImportRun.objects.create(
        channel=opened.channel,
        file_name=opened.facts.path.name[:255],
        file_hash=opened.facts.sha256,
        options=opened.options() | choices.options(),
        rows_total=opened.table.expected,
        actor_name=actor.name,
    )


def _broken_off(opened: Opened) -> ImportRun | None:
    """The last import of this very file into the channel, where it did not come to its end."""
    imports = ImportRun.objects.filter(channel=opened.channel, file_hash=opened.facts.sha256)
    last = imports.order_by("-pk").first()
    return last if last and last.state != ImportRun.State.DONE and _same_columns(last, opened) else None


def _go_on(run: ImportRun, choices: _Choices) -> ImportRun:
    if not run.rows_done:
        run.options |= choices.options()
    ImportRun.objects.filter(pk=run.pk).update(
        state=ImportRun.State.RUNNING, error="", finished_at=None, options=run.options
    )
    return run


def _same_columns(run: ImportRun, opened: Opened) -> bool:
    wanted = opened.options()
    return {name: run.options.get(name) for name in wanted} == wanted


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
            method=METHOD,
            import_run=run.pk,
            file_name=run.file_name,
            file_hash=run.file_hash,
            counts=run.counts,
        )


def _refuse_own_file(opened: Opened, rejects: Path | None) -> None:
    """Refused rows written over the rows they come from would be lost."""
    path = opened.facts.path
    if rejects and rejects.exists() and rejects.samefile(path):
        raise InvalidInput(
            f"Refused rows cannot go to {path}, which is being imported; name another file.", path=str(path)
        )


def _refuse_filled(rejects: Path | None) -> None:
    """What is in a file that is not this import's own is somebody else's."""
    if rejects and rejects.is_file() and rejects.stat().st_size:
        raise InvalidInput(
            f"Refused rows cannot go to {rejects}, which holds something already; name a new file.",
            path=str(rejects),
        )


def _rejects_path(opened: Opened, run: ImportRun) -> Path:
    """Where the run keeps refused rows: what was named as it began, or a file of its number."""
    if named := run.options.get("rejects"):
        return Path(named)
    return (
        Path(settings.VAR_DIR)
        / "rejects"
        / f"{run.pk}-{opened.channel.code}-{opened.facts.path.stem[:80]}.csv"
    )
