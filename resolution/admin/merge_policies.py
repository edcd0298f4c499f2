"""The rules on which merges need a second person: seen by all, changed by leads, tried out before."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect

from customers.listing import refuse_nul
from resolution.admin.frame import actor_of, screen, show, status_of, user_of
from resolution.errors import IdentityError, InvalidInput
from resolution.models import MergePolicy
from resolution.numbers import LARGEST_INTEGER, read_whole
from resolution.selectors.merge_policy import list_policies, rules_of, what_if
from resolution.services.merge_policies import PolicyChange, change_policies, drafted

CHANGE = "resolution.change_mergepolicy"
CHANGERS_ONLY = "Only leads and administrators change these rules; ask one of them."


@screen("resolution.view_mergepolicy", "Your role does not include these rules; ask an administrator for it.")
def merge_policies(request: HttpRequest) -> HttpResponse:
    """Show the rules, try changed ones out on the last proposals, or put them in force."""
    if request.method != "POST":
        return _page(request, list_policies())
    if not request.user.has_perm(CHANGE):
        raise PermissionDenied(CHANGERS_ONLY)
    refuse_nul(request.POST)
    changes = _read(request.POST)
    if request.POST.get("action") == "preview":
        return _page(request, _drafted(changes))
    try:
        change_policies(changes=changes, actor=actor_of(request))
    except IdentityError as error:
        return _page(request, _drafted(changes), error)
    messages.success(request, "The rules are in force from the next merge on.")
    return redirect("resolution:merge-policies")


def _page(
    request: HttpRequest, policies: list[MergePolicy], error: IdentityError | None = None
) -> HttpResponse:
    return show(
        request,
        "merge_policies.html",
        title="Second person",
        status=status_of(error) if error else 200,
        policies=policies,
        outlook=what_if(rules_of(policies)),
        in_force=what_if(rules_of(list_policies())),
        tried=request.method == "POST",
        refusal=str(error) if error else "",
        may_change=user_of(request).has_perm(CHANGE),
    )


def _drafted(changes: list[PolicyChange]) -> list[MergePolicy]:
    """The rules as they would be, each still naming the version its changer saw."""
    wanted = {change.rule: change for change in changes}
    policies = []
    for stored in list_policies():
        policy = drafted(stored, wanted[stored.rule])
        policy.version = wanted[stored.rule].version
        policies.append(policy)
    return policies


def _read(given: QueryDict) -> list[PolicyChange]:
    return [
        PolicyChange(
            rule=rule,
            version=_number(given.get(f"version-{rule}", "")),
            enabled=f"enabled-{rule}" in given,
            number=_number(given.get(f"number-{rule}", "")) if f"number-{rule}" in given else None,
            attribute=given.get(f"attribute-{rule}"),
        )
        for rule in MergePolicy.Rule.values
    ]


def _number(text: str) -> int:
    number = read_whole(text, most=LARGEST_INTEGER)
    if number is None:
        raise InvalidInput(f"“{text[:30]}” is no whole number; give one such as 50, or open the page again.")
    return number
