"""Channels: where identifiers are seen."""

from __future__ import annotations

from typing import ClassVar

from rest_framework import serializers

from customers.models import Channel
from resolution.api.permissions import READ
from resolution.api.views import DeskListView


class ChannelAnswer(serializers.ModelSerializer[Channel]):
    class Meta:
        model = Channel
        fields = ("id", "code", "name", "kind", "default_region", "trust", "free_of_duplicates", "created_at")


class ChannelListView(DeskListView):
    """List the channels."""

    access: ClassVar = {"GET": READ}
    queryset = Channel.objects.all()
    serializer_class = ChannelAnswer
