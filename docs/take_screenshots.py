"""Take the README's pictures from the running product: `python docs/take_screenshots.py --user NAME`.

The account needs the role lead; its password is asked for, or read from DESK_PASSWORD. One conflict is
claimed for the picture of the workbench and given back afterwards; nothing is decided.
"""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests import chromium
from tests.browser import CHROMIUM_ARGUMENTS

IMAGES = Path(__file__).parent / "images"
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
LARGEST = 200_000


def main() -> None:
    given = _arguments()
    password = os.environ.get("DESK_PASSWORD") or getpass.getpass(f"Password of {given.user}: ")
    with sync_playwright() as playwright:
        path = chromium.find()
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        for scheme in ("light", "dark"):
            with _signed_in(browser, given, password, viewport=DESKTOP, color_scheme=scheme) as page:
                _take_all(page, "" if scheme == "light" else "-dark", given)
        with _signed_in(browser, given, password, viewport=PHONE) as page:
            _take(page, "/admin/", "home-phone")
            _take_workbench(page, "workbench-phone", given.conflict)
        browser.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--address", default="http://127.0.0.1:8000")
    parser.add_argument("--user", required=True)
    parser.add_argument(
        "--conflict", type=int, help="number of the one on the workbench; else the most urgent"
    )
    parser.add_argument("--customer", help="id of a customer whose page is taken too")
    return parser.parse_args()


@contextmanager
def _signed_in(
    browser: Browser, given: argparse.Namespace, password: str, **options: object
) -> Iterator[Page]:
    context = browser.new_context(base_url=given.address, **options)
    page = context.new_page()
    page.goto("/admin/login/")
    page.get_by_label("Username").fill(given.user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Queue", exact=True).wait_for()
    yield page
    context.close()


def _take_all(page: Page, suffix: str, given: argparse.Namespace) -> None:
    _take(page, "/admin/", f"home{suffix}")
    _take(page, "/admin/queue/?kind=likely_duplicate", f"queue{suffix}")
    _take_workbench(page, f"workbench{suffix}", given.conflict)
    page.goto("/admin/approvals/")
    if page.get_by_role("link", name="Look at it").count():
        page.get_by_role("link", name="Look at it").first.click()
        _keep(page, f"proposal{suffix}")
    if given.customer:
        _take(page, f"/admin/customers/customer/{given.customer}/change/", f"customer{suffix}")


def _take_workbench(page: Page, name: str, conflict: int | None) -> None:
    """Claim the conflict, or the most urgent likely duplicate, take its picture, give it back."""
    if conflict:
        page.goto(f"/admin/queue/{conflict}/")
        page.get_by_role("button", name="Claim to decide").click()
    else:
        page.goto("/admin/queue/?kind=likely_duplicate&assignee=nobody")
        page.get_by_role("button", name="Claim conflict").first.click()
    page.get_by_role("button", name="Skip").wait_for()
    _keep(page, name)
    page.get_by_role("button", name="Skip").click()


def _take(page: Page, address: str, name: str) -> None:
    page.goto(address)
    _keep(page, name)


def _keep(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    path = IMAGES / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    page.screenshot(path=path)
    if path.stat().st_size > LARGEST:
        sys.exit(f"{path.name} is larger than {LARGEST:,} bytes; take it of a calmer page.")
    print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
