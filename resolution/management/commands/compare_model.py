"""manage.py compare_model VERSION: what a match model would change, before it does."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from resolution.errors import IdentityError
from resolution.management.console import command_actor, console, progress, show_table
from resolution.models import StoredModel
from resolution.selectors.comparison import Change, ComparisonCard, Entry, comparison_card
from resolution.services.compare_models import compare_in_shadow


class Command(BaseCommand):
    help = (
        "Compare the whole register by a stored match model and by the live one, and say who would merge, "
        "who would not, and who would split. Nothing is changed; afterwards a lead may promote the model."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("version", help="the model to compare, as the list of models names it")
        parser.add_argument(
            "--show", type=int, default=10, help="names to show of each; %(default)s by itself"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with progress() as note:
                row = compare_in_shadow(version=options["version"], actor=command_actor(), watch=note)
        except IdentityError as error:
            raise CommandError(str(error)) from error
        card = comparison_card(row)
        if card is not None:
            _show(row, card, options["show"])


def _show(row: StoredModel, card: ComparisonCard, most: int) -> None:
    counts = [(change.title, change.number) for change in card.changes]
    show_table(f"Model {row.version} against {card.live}", ("what", "number"), counts)
    for change in card.changes:
        if change.entries:
            show_table(change.title, ("customers", "weight", "why"), _rows(change, most))
    console.print("Nothing was changed. A lead promotes it under Models, or with manage.py promote_model.")


def _rows(change: Change, most: int) -> list[tuple[str, str, str]]:
    return [
        (" · ".join(name for _, name in entry.customers), entry.weights, entry.why or _parts(entry))
        for entry in change.entries[:most]
    ]


def _parts(entry: Entry) -> str:
    """The records of a customer that would split, a bar between those that part."""
    return " | ".join(", ".join(part) for part in entry.parts)
