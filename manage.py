#!/usr/bin/env python
"""Run one of the project's commands: `manage.py help` lists them."""

from __future__ import annotations

import gc
import os
import sys

# What a shell expects of a command that was called wrongly, and of one that was stopped by Ctrl-C.
USAGE, STOPPED = 2, 130


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "identity_project.settings")
    _refuse_bytes(sys.argv)
    try:
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
    except KeyboardInterrupt:
        _end("Stopped. What was finished before stands; the rest was left as it was.", STOPPED)
    finally:
        gc.freeze()  # else all that is left is searched for garbage several times before the process ends


def _refuse_bytes(words: list[str]) -> None:
    """Bytes that are no text reach us as halves of characters, which neither a database nor Arrow takes."""
    for number, word in enumerate(words[1:], start=1):
        if not word.isascii() and any("\ud800" <= sign <= "\udfff" for sign in word):
            _end(f"Argument {number} is {word!a}, which is not UTF-8 text; write it in UTF-8.", USAGE)


def _end(sentence: str, status: int) -> None:
    print(sentence, file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
