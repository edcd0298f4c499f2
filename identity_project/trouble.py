"""What stops a start: told to the person at the terminal as one sentence, never as a traceback."""

from __future__ import annotations


class Trouble(Exception):
    """Its message says what is wrong and what to do next."""
