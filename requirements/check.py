"""Refuse lock files that do not match what they were made from; needs no network.

Each name of base.in and dev.in must be locked in a version it allows, each lock must carry hashes, the
two locks must agree, and no lock may name an index or a path.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).resolve().parent
_ENTRY = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)(.*(?:\n[ ]+.*)*)", re.MULTILINE)
_PLACE = re.compile(r"https?://|file:|^-|@ ", re.MULTILINE)


def problems() -> list[str]:
    base, dev = _locked("base"), _locked("dev")
    found = [*_mismatches("base", base), *_mismatches("dev", dev), *_places("base"), *_places("dev")]
    found += [
        f"dev.txt has {name} {dev.get(name)}, base.txt {base[name]}"
        for name in base
        if dev.get(name) != base[name]
    ]
    return found


def _mismatches(kind: str, locked: dict[str, str]) -> list[str]:
    wanted = {canonicalize_name(line.name): line for line in _wanted(kind)}
    named = _named_directly(kind)
    return [
        *(
            f"{kind}.in asks for {line}, {kind}.txt does not lock it"
            for name, line in wanted.items()
            if name not in locked
        ),
        *(
            f"{kind}.in asks for {line}, {kind}.txt locks {locked[name]}"
            for name, line in wanted.items()
            if name in locked and not line.specifier.contains(locked[name])
        ),
        *(
            f"{kind}.txt locks {name} for {kind}.in, which does not ask for it"
            for name in named - wanted.keys()
        ),
        *(f"{kind}.txt locks {name} without a hash" for name in _without_hash(kind)),
    ]


def _wanted(kind: str) -> list[Requirement]:
    lines = (line.split("#")[0].strip() for line in (HERE / f"{kind}.in").read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def _entries(kind: str) -> list[tuple[str, str, str]]:
    return _ENTRY.findall((HERE / f"{kind}.txt").read_text())


def _locked(kind: str) -> dict[str, str]:
    return {canonicalize_name(name): version for name, version, _ in _entries(kind)}


def _named_directly(kind: str) -> set[str]:
    return {canonicalize_name(name) for name, _, rest in _entries(kind) if f"requirements/{kind}.in" in rest}


def _without_hash(kind: str) -> list[str]:
    return [name for name, _, rest in _entries(kind) if "--hash=sha256:" not in rest]


def _places(kind: str) -> list[str]:
    return [
        f"{kind}.txt names a place: {hit!r}" for hit in _PLACE.findall((HERE / f"{kind}.txt").read_text())
    ]


if __name__ == "__main__":
    found = problems()
    sys.exit("\n".join([*found, "Run `make lock`."]) if found else 0)
