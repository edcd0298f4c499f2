"""Small files to import."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence
from pathlib import Path

HEADER = (
    "record_id", "first_name", "last_name", "email", "phone", "date_of_birth", "city", "postcode", "country",
)  # fmt: skip
_ANNA = (
    "Anna", "Smithers", "anna.smithers@post.example", "+49 30 901820001", "1980-02-13",
    "Berlin", "10115", "DE",
)  # fmt: skip
ANNA = ("r1", *_ANNA)
ANNA_AGAIN = ("r2", *_ANNA)
BORIS = (
    "r3", "Boris", "Okonkwo", "boris@okonkwo.example", "+44 20 79460018", "1955-11-30",
    "Leeds", "LS1 4AP", "GB",
)  # fmt: skip
CLARA = (
    "r4", "Clara", "Vandermeer", "clara@vandermeer.example", "+31 20 6245001", "1991-07-07",
    "Delft", "2611", "NL",
)  # fmt: skip


def csv_text(*rows: Sequence[str], header: Sequence[str] | None = HEADER, delimiter: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([header, *rows] if header else rows)
    return out.getvalue()


def write(path: Path, *rows: Sequence[str], encoding: str = "utf-8") -> Path:
    """Write a CSV file under our header."""
    path.write_text(csv_text(*rows), encoding=encoding, newline="")
    return path


def person(number: int, **changes: str) -> tuple[str, ...]:
    """A row nobody else is like."""
    letters = "".join(chr(97 + int(digit)) for digit in f"{number:05d}")
    row = {
        "record_id": f"p{number}",
        "first_name": f"G{letters}",
        "last_name": f"F{letters}",
        "email": f"{letters}@{letters}.example",
        "phone": f"+4930{5_200_000 + number}",
        "date_of_birth": f"{1930 + number % 70}-{1 + number % 12:02d}-{1 + number % 28:02d}",
        "city": f"City{letters}",
        "postcode": f"{10000 + number}",
        "country": "DE",
    }
    return tuple((row | changes).values())


def stranger(number: int, **changes: str) -> tuple[str, ...]:
    """A row that has nothing in common with any other, unlike `person`, whose rows are much alike."""
    chance = random.Random(number)

    def word(syllables: int) -> str:
        return "".join(chance.choice("bdfgklmnprst") + chance.choice("aeiou") for _ in range(syllables))

    given, family, city = word(3).title(), word(4).title(), word(3).title()
    own = {
        "first_name": given,
        "last_name": family,
        "email": f"{given}.{family}@{word(4)}.example".lower(),
        "phone": f"+4930{chance.randrange(10**7, 10**8)}",
        "city": city,
        "postcode": str(chance.randrange(10_000, 99_999)),
    }
    return person(number, **(own | changes))
