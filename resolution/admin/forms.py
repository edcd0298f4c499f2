"""Forms that services save: the admin's fields and help texts, never a model's own `save`."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.http import QueryDict

from customers.models import PROFILE_FIELDS, Channel, Customer
from resolution.matching.identifiers import IDENTIFIER_TYPES
from resolution.models import IdentifierRule
from resolution.selectors.labels import field_label
from resolution.services.api_keys import SCOPES
from resolution.services.reevaluate import ANY_TYPE
from resolution.services.rules import LARGEST, LARGEST_RANK, LONGEST_WINDOW, SETTABLE

LONGEST_KEY_LIFE = 3650


class CustomerForm(forms.ModelForm[Customer]):
    """A customer's profile, with the version the page was opened at."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Customer
        fields = PROFILE_FIELDS
        labels = {name: field_label(name) for name in PROFILE_FIELDS}
        error_messages = {"birth_date": {"invalid": "A date is wanted, such as 1980-02-01."}}
        widgets = {"birth_date": forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("version", self.instance.version)
        self.stored: list[tuple[str, object]] = []

    def profile(self) -> dict[str, Any]:
        """Every profile field as entered."""
        return {name: self.cleaned_data[name] for name in PROFILE_FIELDS}

    def changes(self) -> dict[str, Any]:
        """The profile fields that differ from what the page was opened with."""
        return {name: value for name, value in self.profile().items() if name in self.changed_data}

    def caught_up(self) -> CustomerForm:
        """Bring a refused form up to the row as it is: what was typed stays, `stored` says what differs."""
        if str(self.data.get("version")) != str(self.initial["version"]):
            self.data = {**dict(self.data.items()), "version": str(self.initial["version"])}
            changed = (name for name in self.changed_data if name in PROFILE_FIELDS)
            self.stored = [(str(self.fields[name].label), self.initial[name]) for name in changed]
        return self


class LinkForm(forms.Form):
    """An identifier to link."""

    channel = forms.ModelChoiceField(Channel.objects.order_by("name"), empty_label=None)
    identifier_type = forms.ChoiceField(
        label="Type", choices=[(code, kind.label) for code, kind in IDENTIFIER_TYPES.items()]
    )
    value = forms.CharField(max_length=255)
    verified = forms.BooleanField(
        required=False, label="Verified", help_text="You have proof that it is theirs."
    )
    valid_from = forms.DateTimeField(
        required=False,
        label="Theirs since, if not now",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )

    def refusals(self) -> list[str]:
        """What is wrong, a sentence each, with the field it is about."""
        return [
            f"{self.fields[name].label or name.capitalize()}: {error}"
            for name, errors in self.errors.items()
            for error in errors
        ]


def _limit(label: str, help_text: str = "Empty: no limit.", *, most: int = LARGEST) -> forms.IntegerField:
    return forms.IntegerField(label=label, required=False, min_value=1, max_value=most, help_text=help_text)


class RuleForm(forms.Form):
    """The rule of a type, with the version the page was opened at."""

    values_soft = _limit("Values per customer, then ask")
    values_hard = _limit("Values per customer, then refuse")
    customers_soft = _limit("Customers per value, then ask")
    customers_hard = _limit("Customers per value, then refuse")
    valid_days = _limit(
        "Valid for days",
        "A link not seen for so long answers no look-up. Empty: for ever.",
        most=LONGEST_WINDOW,
    )
    rank = forms.IntegerField(min_value=1, max_value=LARGEST_RANK, help_text="1 is believed first.")
    exclusive = forms.BooleanField(
        required=False, label="One verified value per customer", help_text="A second one speaks against it."
    )
    version = forms.IntegerField(widget=forms.HiddenInput)

    @classmethod
    def of(cls, rule: IdentifierRule, data: QueryDict | None = None) -> RuleForm:
        """The form filled in with a rule as it stands, or with what was sent."""
        return cls(data, initial={name: getattr(rule, name) for name in (*SETTABLE, "version")})

    def changes(self) -> dict[str, Any]:
        """What was entered, by field."""
        return {name: self.cleaned_data[name] for name in SETTABLE}


class BlockForm(forms.Form):
    """A value to block."""

    type = forms.ChoiceField(
        required=False,
        choices=[(ANY_TYPE, "Any"), *((code, kind.label) for code, kind in IDENTIFIER_TYPES.items())],
    )
    value = forms.CharField(
        max_length=255, help_text="A value, or a pattern such as till*@shop.example, * for any characters."
    )
    reason = forms.CharField(max_length=500, required=False, help_text="Whoever meets the block reads it.")


class ApiKeyForm(forms.Form):
    """A key for another program."""

    name = forms.CharField(max_length=100, help_text="What uses it, such as “Help desk”.")
    user = forms.ModelChoiceField(
        get_user_model().objects.filter(is_active=True).order_by("username"),
        label="Account", help_text="The account behind the key; four eyes compare it.",
    )  # fmt: skip
    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in SCOPES], widget=forms.CheckboxSelectMultiple
    )
    days = forms.IntegerField(
        label="Valid for days", min_value=1, max_value=LONGEST_KEY_LIFE, initial=365,
        help_text="After that it stops working by itself.",
    )  # fmt: skip
