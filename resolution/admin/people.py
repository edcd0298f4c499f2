"""Accounts and roles: Django's own lists, with what every list here refuses."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User

from customers.listing import ListAdmin

admin.site.unregister((User, Group))


@admin.register(User)
class PeopleAdmin(ListAdmin, UserAdmin):
    pass


@admin.register(Group)
class RoleAdmin(ListAdmin, GroupAdmin):
    pass
