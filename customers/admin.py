"""The register's lists. Nothing here writes identity data: that is for services and our own screens."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.db.models import Q
from django.http import HttpRequest
from django.utils.formats import date_format

from customers.listing import BigListAdmin, ReadOnlyAdmin, as_uuid
from customers.models import Channel, Customer, Mapping, Message, SourceRecord, Ticket

SHORTEST_SEARCH = 3


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin):
    """Search goes through the trigram indexes; an id finds the customer and everyone absorbed into it."""

    list_display = ("display_name", "email", "phone", "company", "city", "status", "created")
    list_filter = ("status",)
    search_fields = ("name", "email", "phone", "company")
    search_help_text = "Name, e-mail, phone, company or id; at least three characters of one word."
    ordering = ("-created_at", "-id")

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Shows "Add": it opens our own form, which saves through a service."""
        return request.user.has_perm("customers.change_customer")

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        customer_id = as_uuid(search_term)
        if customer_id is not None:
            return queryset.filter(Q(pk=customer_id) | Q(merged_into=customer_id)), False
        if search_term and max(map(len, search_term.split()), default=0) < SHORTEST_SEARCH:
            messages.warning(request, f"“{search_term}” is too short: type three characters of one word.")
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description="Name", ordering="name")
    def display_name(self, customer: Customer) -> str:
        return customer.display_name

    @admin.display(description="Known since", ordering="created_at")
    def created(self, customer: Customer) -> str:
        return date_format(customer.created_at, "j M Y")


@admin.register(Channel)
class ChannelAdmin(BigListAdmin):
    list_display = ("name", "code", "kind", "default_region", "trust", "free_of_duplicates")
    search_fields = ("name", "code")
    ordering = ("name",)

    def get_readonly_fields(self, request: HttpRequest, obj: Channel | None = None) -> tuple[str, ...]:
        return ("code",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


@admin.register(Mapping)
class MappingAdmin(ReadOnlyAdmin):
    list_display = (
        "channel_identifier", "identifier_type", "customer", "channel",
        "status", "verified", "confidence_score",
    )  # fmt: skip
    list_filter = ("status", "verified", "channel")
    list_select_related = ("customer", "channel")
    search_fields = ("normalised__exact",)
    search_help_text = "The whole identifier in canonical form, such as anna@example.com or +4930123456."
    ordering = ("-id",)


class ByChannelAdmin(ReadOnlyAdmin):
    """Rows found by the id their channel gave them; the index that finds them begins with the channel."""

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        found, repeats = super().get_search_results(request, queryset, search_term)
        if search_term:
            found = found.filter(channel__in=list(Channel.objects.values_list("pk", flat=True)))
        return found, repeats


@admin.register(Message)
class MessageAdmin(ByChannelAdmin):
    list_display = ("__str__", "customer", "channel", "sender", "outcome", "reason", "received_at")
    list_filter = ("outcome", "channel")
    list_select_related = ("customer", "channel")
    search_fields = ("external_id__exact",)
    search_help_text = "The channel's own message id."
    ordering = ("-id",)
    readonly_fields = ("mapping",)


@admin.register(Ticket)
class TicketAdmin(ByChannelAdmin):
    list_display = ("subject", "customer", "channel", "status", "opened_at")
    list_filter = ("status", "channel")
    list_select_related = ("customer", "channel")
    search_fields = ("external_id__exact",)
    search_help_text = "The channel's own ticket id."
    ordering = ("-id",)


@admin.register(SourceRecord)
class SourceRecordAdmin(ByChannelAdmin):
    list_display = ("source_key", "customer", "channel", "updated_at")
    list_filter = ("channel",)
    list_select_related = ("customer", "channel")
    search_fields = ("source_key__exact",)
    search_help_text = "The source's own id of the record."
    ordering = ("-id",)
