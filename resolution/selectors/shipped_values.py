"""The values that came blocked with this release, as the list of blocked values shows them."""

from __future__ import annotations

from dataclasses import dataclass

from resolution.matching.normalise import junk


@dataclass(frozen=True, slots=True)
class ShippedValue:
    """One entry of the shipped list; an empty type means any."""

    type: str
    value: str
    why: str


def shipped_values() -> list[ShippedValue]:
    """Return what `matching.normalise.junk` knows, by type and value; it is not kept anywhere else."""
    return [
        *(ShippedValue("", value, "typed to get past a form") for value in sorted(junk.FILLERS)),
        *(ShippedValue("email", value, "an example, nobody's address") for value in sorted(junk.EMAILS)),
        *(
            ShippedValue("email", f"{part}@*", "a mailbox nobody reads")
            for part in sorted(junk.EMAIL_LOCAL_PARTS - junk.FILLERS)
        ),
        ShippedValue("phone", "000000, 121212, 123456789 …", "digits that repeat or count"),
    ]
