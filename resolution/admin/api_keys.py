"""API keys: made through the service, the secret shown once; revoked, never deleted."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from customers.listing import ReadOnlyAdmin
from resolution.admin.forms import ApiKeyForm
from resolution.admin.frame import actor_of, say_refusal, screen, show, status_of
from resolution.errors import IdentityError
from resolution.models import ApiKey
from resolution.services import api_keys


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ("name", "prefix", "user", "scope_list", "state", "expires_at", "last_used_at")
    list_select_related = ("user",)
    search_fields = ("name", "prefix__exact")
    ordering = ("name",)
    fields = (
        "name", "prefix", "user", "scope_list", "state",
        "created_at", "expires_at", "last_used_at", "revoked_at",
    )  # fmt: skip
    change_form_template = "admin/resolution/apikey/change_form.html"

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Shows "Add": it opens our own form, which makes the key through the service."""
        return request.user.has_perm("resolution.add_apikey")

    @admin.display(description="Scopes")
    def scope_list(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @admin.display(description="State")
    def state(self, key: ApiKey) -> SafeString:
        if key.revoked_at:
            return format_html('<span class="chip chip-bad">{}</span>', "revoked")
        if key.expires_at <= timezone.now():
            return format_html('<span class="chip">{}</span>', "expired")
        return format_html('<span class="chip chip-good">{}</span>', "in force")


@screen("resolution.add_apikey", "Only administrators make API keys; ask one of them.")
def make_key(request: HttpRequest) -> HttpResponse:
    """Make a key and show its secret this one time."""
    form = ApiKeyForm(request.POST or None)
    if not form.is_valid():
        return show(request, "api_key_form.html", title="Make an API key", form=form)
    try:
        key, secret = api_keys.make_api_key(**form.cleaned_data, actor=actor_of(request))
    except IdentityError as error:
        form.add_error(None, str(error))
        return show(request, "api_key_form.html", title="Make an API key", form=form, status=status_of(error))
    return show(request, "api_key_made.html", title=f"Key {key.name}", key=key, secret=secret)


@require_POST
@screen("resolution.change_apikey", "Only administrators revoke API keys; ask one of them.")
def revoke_key(request: HttpRequest, key_id: int) -> HttpResponse:
    """Revoke a key at once."""
    try:
        api_keys.revoke_api_key(key_id=key_id, actor=actor_of(request))
    except IdentityError as error:
        say_refusal(request, error)
    else:
        messages.success(request, "Revoked. Requests with this key are refused from now on.")
    return redirect(reverse("admin:resolution_apikey_change", args=[key_id]))
