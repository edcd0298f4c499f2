"""The whole story in the browser: a steward proposes, a lead approves, looks, and takes it back."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Locator, Page, expect

from customers.models import Customer
from resolution.models import Conflict, Judgement, MergeProposal
from tests.factories import ConflictFactory, CustomerFactory, actor_for
from tests.journeys.conftest import Sit
from tests.resolution.services.register_state import register_state
from tests.resolution.services.test_bulk_proposals import propose_seen

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("conflict")]

PHONE = {"width": 390, "height": 844}
SIDEWAYS = "document.documentElement.scrollWidth > window.innerWidth"
SMALL_TARGETS = """
    [...document.querySelectorAll("main button, main a.act, main select, main input:not([type=hidden])")]
        .filter((target) => target.checkVisibility({opacityProperty: true}))
        .map((target) => target.closest("label") ?? target)
        .filter((target) => target.clientWidth > 1 && target.getBoundingClientRect().height < 24)
        .map((target) => target.outerHTML)
"""


def result(page: Page, field: str) -> Locator:
    return page.locator(f'[data-field="{field}"] .result-value')


def propose(page: Page) -> None:
    """From home to a proposal: claim, compare, pick the second city, propose."""
    page.get_by_role("button", name="Start: take the next ones").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Anna Smith.+Ann Smith", re.DOTALL))
    page.locator('[data-field="city"] td[data-label="2"] input').check()
    page.get_by_label("Reason").fill("They called from the same number.")
    page.get_by_role("button", name="Propose merge").click()
    expect(page.get_by_text("Proposed; a second person decides.")).to_be_visible()


def approve(page: Page) -> None:
    page.get_by_role("link", name="Approvals", exact=True).click()
    page.get_by_role("link", name="Look at it").click()
    expect(page.get_by_text("They called from the same number.")).to_be_visible()
    expect(result(page, "city")).to_have_text("York")
    page.get_by_role("button", name="Approve and merge").click()
    expect(page.get_by_text("Merged.")).to_be_visible()


def test_two_people_merge_and_undo_row_for_row(
    sit_down: Sit, sara: User, lena: User, pair: tuple[Customer, Customer]
) -> None:
    before = register_state()

    steward = sit_down(sara)
    propose(steward)
    assert register_state() == before, "a proposal alone moved something"

    lead = sit_down(lena)
    approve(lead)
    lead.get_by_role("link", name="See the customer").click()
    shows_one_person(lead)

    lead.get_by_role("link", name=re.compile("Undo…")).click()
    expect(lead.get_by_text("This is everything that will happen.")).to_be_visible()
    lead.get_by_role("button", name=re.compile("Undo merge")).click()
    expect(lead.get_by_text("Every customer has back what was theirs.")).to_be_visible()

    assert register_state() == before
    assert Judgement.objects.get().verdict == "different"


def shows_one_person(page: Page) -> None:
    """Both customers' values are on one page, and the other id leads here."""
    expect(page.get_by_role("cell", name="York")).to_be_visible()
    for text in ("anna.smith@example.com", "a.smith@example.org", "Where is my order?", "Broken lamp"):
        expect(page.get_by_text(text).first).to_be_visible()
    here = page.url
    gone = Customer.objects.get(status="merged")
    page.goto(f"/admin/customers/customer/{gone.pk}/change/")
    page.get_by_role("link", name="the customer it was merged into").click()
    assert page.url == here


def test_the_result_follows_each_pick(sit_down: Sit, sara: User, pair: tuple[Customer, Customer]) -> None:
    page = sit_down(sara)
    page.get_by_role("button", name="Start: take the next ones").click()
    by_rule = result(page, "city").text_content()

    page.locator('[data-field="city"] td[data-label="2"] input').check()
    expect(result(page, "city")).to_have_text("York")
    page.get_by_label("another value for City").check()
    page.get_by_label("City, typed").fill("Hull")
    expect(result(page, "city")).to_have_text("Hull")
    page.get_by_label("City by rule").check()
    expect(result(page, "city")).to_have_text(str(by_rule))


def test_choosing_the_survivor_keeps_the_picks(sit_down: Sit, sara: User) -> None:
    page = sit_down(sara)
    page.get_by_role("button", name="Start: take the next ones").click()
    page.get_by_label("another value for City").check()
    page.get_by_label("City, typed").fill("Hull")

    other = page.locator("input[name=survivor]:not(:checked)").get_attribute("value")
    with page.expect_response(re.compile("/queue/")):
        page.locator(f'input[name=survivor][value="{other}"]').check()

    expect(page.locator(".column-head.survivor input[name=survivor]")).to_have_value(str(other))
    expect(result(page, "city")).to_have_text("Hull")


def test_of_a_large_group_others_are_taken_in_and_left_out_by_a_tick(sit_down: Sit, sara: User) -> None:
    group = ConflictFactory(members=CustomerFactory.create_batch(14, name="Dora Fox"), priority=99)
    page = sit_down(sara, viewport=PHONE, has_touch=True)
    page.get_by_role("button", name="Start: take the next ones").click()
    page.wait_for_url(f"**/queue/{group.pk}/")
    assert misfits(page) == []
    columns, left_out = page.get_by_label("Belongs to it"), page.locator("#left-out input")
    expect(columns).to_have_count(12)

    left_out.first.check()
    expect(columns).to_have_count(13)
    expect(left_out).to_have_count(1)
    columns.first.uncheck()
    expect(columns).to_have_count(12)
    expect(left_out).to_have_count(2)


def test_keys_alone_are_enough(sit_down: Sit, sara: User, pair: tuple[Customer, Customer]) -> None:
    page = sit_down(sara)
    tab_to(page, "Start: take the next ones")
    page.keyboard.press("Enter")
    page.wait_for_url("**/queue/*/")

    step_to(page, "city")
    page.keyboard.press("2")
    expect(result(page, "city")).to_have_text("York")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    expect(page.get_by_text("Proposed; a second person decides.")).to_be_visible()

    assert MergeProposal.objects.get().picks == {"city": str(pair[1].pk)}


def test_space_presses_a_button_and_ticks_a_box(sit_down: Sit, sara: User) -> None:
    page = sit_down(sara)
    page.get_by_role("button", name="Start: take the next ones").click()
    only_differing = page.locator("#only-differing")
    before = only_differing.is_checked()
    only_differing.focus()
    page.keyboard.press("Space")
    expect(only_differing).to_be_checked(checked=not before)

    page.get_by_role("button", name="Not the same").focus()
    page.keyboard.press("Space")
    page.wait_for_url("**/admin/")
    assert Judgement.objects.get().verdict == "different"


def test_keys_do_nothing_while_typing_or_switched_off(sit_down: Sit, sara: User) -> None:
    page = sit_down(sara)
    page.get_by_role("button", name="Start: take the next ones").click()
    page.get_by_label("Reason").press_sequentially("no merge, unsure")
    page.get_by_role("button", name="Keys").click()
    page.get_by_label("Single keys are on in this browser").uncheck()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("n")
    page.reload()
    page.keyboard.press("n")

    expect(page.get_by_role("button", name="Not the same")).to_be_visible()
    assert Conflict.objects.get().state == "claimed"


def test_works_without_javascript(sit_down: Sit, sara: User, pair: tuple[Customer, Customer]) -> None:
    page = sit_down(sara, java_script_enabled=False)
    page.get_by_role("button", name="Start: take the next ones").click()
    page.locator('[data-field="city"] td[data-label="2"] input').check()
    page.get_by_role("button", name="Preview").click()
    expect(result(page, "city")).to_have_text("York")
    page.get_by_role("button", name="Propose merge").click()

    assert MergeProposal.objects.get().picks == {"city": str(pair[1].pk)}


def test_fits_a_phone(sit_down: Sit, sara: User, lena: User) -> None:
    steward = sit_down(sara, viewport=PHONE, has_touch=True)
    for address in ("/admin/", "/admin/queue/", "/admin/approvals/", "/admin/runs/"):
        steward.goto(address)
        assert misfits(steward) == []
    steward.goto("/admin/")
    steward.get_by_role("button", name="Start: take the next ones").click()
    assert misfits(steward) == []
    steward.goto("/admin/")
    steward.get_by_role("link", name="Go on with my work").click()
    steward.locator('[data-field="city"] td[data-label="2"] input').check()
    steward.get_by_label("Reason").fill("They called from the same number.")
    steward.get_by_role("button", name="Propose merge").click()

    lead = sit_down(lena, viewport=PHONE, has_touch=True)
    approve(lead)
    lead.get_by_role("link", name="See the customer").click()
    assert misfits(lead) == []
    lead.get_by_role("link", name=re.compile("Undo…")).click()
    assert misfits(lead) == []


def test_batches_and_rules_fit_a_phone(sit_down: Sit, sara: User, lena: User) -> None:
    lead = sit_down(lena, viewport=PHONE, has_touch=True)
    likely = ConflictFactory(members=[CustomerFactory(name="Dora Fox"), CustomerFactory(name="Dora Foxx")])
    together = propose_seen([likely.pk], actor_for(sara)).batch
    assert together is not None
    for address in ("/admin/second-person/", f"/admin/approvals/batches/{together.pk}/"):
        lead.goto(address)
        assert misfits(lead) == []


def misfits(page: Page) -> list[str]:
    """What of a page does not fit the screen."""
    sideways = [f"{page.url} scrolls sideways"] if page.evaluate(SIDEWAYS) else []
    return sideways + [f"{page.url}: {target} is below 24 px" for target in page.evaluate(SMALL_TARGETS)]


def step_to(page: Page, field: str) -> None:
    """Press j until a field is the current one."""
    for _ in range(20):
        page.keyboard.press("j")
        if page.locator("tr.current").get_attribute("data-field") == field:
            return
    pytest.fail(f"{field} cannot be reached by the key j")


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the named button has the focus, as somebody without a mouse does."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").strip() == name:
            return
    pytest.fail(f"{name} cannot be reached by Tab")
