"""Fixtures of the browser tests: the system's Chromium, and a page that tells of every error in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from tests import chromium

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
]


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    path = chromium.find()
    if path is None:
        pytest.fail(
            "No Chromium was found: run `make test`, which installs one, or set CHROMIUM to its path."
        )
    return {**browser_type_launch_args, "executable_path": str(path), "args": CHROMIUM_ARGUMENTS}


@pytest.fixture
def expected_page_errors() -> list[str]:
    """Parts of the messages a test provokes on purpose, such as "status of 409"; the test appends them."""
    return []


@pytest.fixture
def context(
    new_context: Callable[..., BrowserContext], expected_page_errors: list[str]
) -> Iterator[BrowserContext]:
    """A fresh context; the test fails for any console error, CSP violation or script error in its pages."""
    errors: list[str] = []
    context = new_context()
    context.on("page", lambda page: note_errors(page, errors))
    yield context
    unexpected = [error for error in errors if not any(part in error for part in expected_page_errors)]
    assert not unexpected, "the browser reported errors:\n" + "\n".join(unexpected)


def note_errors(page: Page, errors: list[str]) -> None:
    page.on("pageerror", lambda error: errors.append(f"script error on {page.url}: {error}"))
    page.on("console", lambda message: _note(message, page, errors))


def _note(message: ConsoleMessage, page: Page, errors: list[str]) -> None:
    if message.type == "error" or "Content Security Policy" in message.text:
        errors.append(f"console error on {page.url}: {message.text}")
