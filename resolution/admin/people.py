"""Accounts and roles: Django's own lists, with what every list here refuses."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest

from customers.listing import ListAdmin
from resolution.selectors.accounts import has_acted

admin.site.unregister((User, Group))


@admin.register(User)
class PeopleAdmin(ListAdmin, UserAdmin):
    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """The trail knows an account by its name: one that has acted keeps it."""
        fixed = ("username",) if obj and has_acted(obj) else ()
        return (*super().get_readonly_fields(request, obj), *fixed)


@admin.register(Group)
class RoleAdmin(ListAdmin, GroupAdmin):
    pass
