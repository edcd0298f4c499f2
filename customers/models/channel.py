"""Where an identifier is seen: a shop, a mailbox, a messenger, a file."""

from __future__ import annotations

import uuid

from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models

from customers.ids import uuid7

REGION = RegexValidator(r"^([A-Z]{2})?$", "A region is two capital letters (ISO 3166), such as DE, or empty.")


class Channel(models.Model):
    """One place identifiers come from, and how far it is trusted."""

    class Kind(models.TextChoices):
        EMAIL = "email", "E-mail"
        PHONE = "phone", "Phone"
        WHATSAPP = "whatsapp", "WhatsApp"
        WEB = "web", "Web form"
        SHOP = "shop", "Shop"
        APP = "app", "App"
        SOCIAL = "social", "Social network"
        MARKETPLACE = "marketplace", "Marketplace"
        IMPORT = "import", "File import"

    id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField(
        primary_key=True, default=uuid7, editable=False
    )
    code = models.SlugField(max_length=50, unique=True, help_text="Short name used by files and services.")
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.IMPORT)
    default_region = models.CharField(
        max_length=2, blank=True, default="", validators=[REGION],
        help_text="Country of national phone numbers and dates from here, such as DE.",
    )  # fmt: skip
    trust = models.PositiveSmallIntegerField(
        default=50,
        validators=[MaxValueValidator(100)],
        help_text="0 to 100; the higher, the sooner its values win.",
    )
    free_of_duplicates = models.BooleanField(
        default=False,
        help_text="This source never holds one person twice: two of its records are not compared.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "channels"
        constraints = [
            models.CheckConstraint(condition=models.Q(trust__lte=100), name="channel_trust_to_100"),
            models.CheckConstraint(
                condition=models.Q(default_region__regex=r"^([A-Z]{2})?$"), name="channel_region_is_iso"
            ),
        ]

    def __str__(self) -> str:
        return self.name
