"""Who may open what: every role on every screen, and the sentence for those who may not."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from resolution.models import ApiKey, Conflict, MergeProposal
from resolution.services.api_keys import make_api_key
from resolution.services.approve import propose_merge
from resolution.services.merge import merge_customers
from resolution.services.note import note_untold
from resolution.services.queue import claim
from resolution.types import Actor
from tests.factories import ConflictFactory, CustomerFactory, MappingFactory, actor_for, draft, service_user
from tests.resolution.admin.conftest import SignIn
from tests.resolution.admin.forms import workbench_form

pytestmark = pytest.mark.django_db

ROLES = ("steward", "lead", "auditor", "admin", "none")
READERS = {"steward", "lead", "auditor", "admin"}
OPEN_TO: dict[str, set[str]] = {
    "admin:index": set(ROLES),
    "resolution:queue": READERS,
    "resolution:approvals": READERS,
    "resolution:runs": READERS,
    "resolution:models": READERS,
    "resolution:merge-policies": READERS,
    "resolution:rules": READERS,
    "resolution:blocked-values": READERS,
    "resolution:block-value": READERS,
    "resolution:add-customer": {"steward", "lead"},
    "resolution:make-key": {"admin"},
    "admin:customers_customer_changelist": READERS,
    "admin:customers_mapping_changelist": READERS,
    "admin:customers_message_changelist": READERS,
    "admin:customers_ticket_changelist": READERS,
    "admin:customers_sourcerecord_changelist": READERS,
    "admin:customers_channel_changelist": READERS,
    "admin:customers_channel_add": {"admin"},
    "admin:resolution_merge_changelist": READERS,
    "admin:resolution_judgement_changelist": READERS,
    "admin:resolution_matchrun_changelist": READERS,
    "admin:resolution_importrun_changelist": READERS,
    "admin:resolution_auditentry_changelist": {"lead", "auditor", "admin"},
    "admin:resolution_apikey_changelist": {"admin"},
    "admin:auth_user_changelist": {"admin"},
}


@pytest.fixture
def clients(people: dict[str, User], sign_in: SignIn) -> dict[str, Client]:
    return {role: sign_in(user) for role, user in people.items()}


def open_to(clients: dict[str, Client], url: str) -> set[str]:
    """The roles that see the page; everybody else must get a 403 with a sentence."""
    answers = {role: client.get(url) for role, client in clients.items()}
    for answer in answers.values():
        assert answer.status_code in (200, 403)
        assert answer.status_code == 200 or b"Not for your role" in answer.content
    return {role for role, answer in answers.items() if answer.status_code == 200}


class TestScreens:
    @pytest.mark.parametrize("name", OPEN_TO)
    def test_open_to_the_roles_that_need_them(self, clients: dict[str, Client], name: str) -> None:
        assert open_to(clients, reverse(name)) == OPEN_TO[name]

    def test_a_workbench_opens_to_readers(self, clients: dict[str, Client]) -> None:
        conflict = ConflictFactory()

        assert open_to(clients, reverse("resolution:workbench", args=[conflict.pk])) == READERS

    def test_a_customer_opens_to_readers_and_its_form_to_editors(self, clients: dict[str, Client]) -> None:
        mapping = MappingFactory()
        customer = mapping.customer_id

        assert open_to(clients, reverse("resolution:customer", args=[customer])) == READERS
        as_of = reverse("resolution:customer-as-of", args=[customer])
        note_untold(actor=Actor.machine("test"))
        assert open_to(clients, f"{as_of}?moment={timezone.now():%Y-%m-%dT%H:%M:%S.%f}") == READERS
        assert open_to(clients, reverse("resolution:duplicates", args=[customer])) == READERS
        assert open_to(clients, reverse("resolution:edit-customer", args=[customer])) == {"steward", "lead"}
        unlink = reverse("resolution:unlink-identifier", args=[customer, mapping.pk])
        assert open_to(clients, unlink) == {"steward", "lead"}

    def test_undoing_opens_to_leads_and_administrators(self, clients: dict[str, Client], lena: User) -> None:
        pair = [CustomerFactory(name="Ann").pk, CustomerFactory(name="Anna").pk]
        merge = merge_customers(member_ids=pair, actor=actor_for(lena))

        assert open_to(clients, reverse("resolution:undo", args=[merge.pk])) == {"lead", "admin"}

    def test_splitting_opens_to_leads_and_administrators(self, clients: dict[str, Client]) -> None:
        customer = MappingFactory().customer_id

        assert open_to(clients, reverse("resolution:split", args=[customer])) == {"lead", "admin"}

    def test_erasing_opens_to_leads_and_administrators(self, clients: dict[str, Client]) -> None:
        customer = [CustomerFactory(name="Ann").pk]

        for name in ("resolution:erase", "resolution:erased"):
            assert open_to(clients, reverse(name, args=customer)) == {"lead", "admin"}

    def test_a_model_opens_to_readers_and_its_promotion_to_leads(self, clients: dict[str, Client]) -> None:
        version = [draft().version]

        assert open_to(clients, reverse("resolution:model", args=version)) == READERS
        assert open_to(clients, reverse("resolution:promote-model", args=version)) == {"lead"}
        assert open_to(clients, reverse("resolution:roll-back-model", args=version)) == {"lead"}
        assert open_to(clients, reverse("resolution:discard-model", args=version)) == {"lead", "admin"}

    def test_strangers_are_sent_to_sign_in(self, client: Client) -> None:
        answer = client.get(reverse("resolution:queue"))

        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse("admin:login"))

    def test_accounts_of_services_are_sent_to_sign_in(self, sign_in: SignIn) -> None:
        answer = sign_in(service_user()).get(reverse("resolution:queue"))

        assert answer.status_code == 302


class TestButtons:
    def test_the_auditor_may_not_claim(self, clients: dict[str, Client]) -> None:
        conflict = ConflictFactory()

        answer = clients["auditor"].post(reverse("resolution:claim", args=[conflict.pk]))

        assert answer.status_code == 403
        assert Conflict.objects.get().state == "open"

    def test_the_auditor_may_not_decide(self, clients: dict[str, Client]) -> None:
        conflict = ConflictFactory()

        form = workbench_form(conflict, "different")
        answer = clients["auditor"].post(reverse("resolution:workbench", args=[conflict.pk]), form)

        assert answer.status_code == 403
        assert "Only stewards and leads work the queue" in answer.content.decode()

    def test_the_steward_may_not_approve(self, clients: dict[str, Client], people: dict[str, User]) -> None:
        proposal = propose_merge(
            member_ids=[CustomerFactory(name="Ann").pk, CustomerFactory(name="Anna").pk],
            actor=actor_for(people["lead"]),
        )

        url = reverse("resolution:proposal", args=[proposal.pk])
        answer = clients["steward"].post(url, {"action": "approve"})

        assert answer.status_code == 403
        assert MergeProposal.objects.get().state == "pending"

    def test_the_steward_may_not_start_a_run(self, clients: dict[str, Client]) -> None:
        assert clients["steward"].post(reverse("resolution:start-run")).status_code == 403

    @pytest.mark.parametrize("role", ["steward", "auditor", "admin"])
    def test_only_the_lead_promotes_a_model(self, clients: dict[str, Client], role: str) -> None:
        row = draft()

        answer = clients[role].post(reverse("resolution:promote-model", args=[row.version]))

        assert answer.status_code == 403
        assert "Only leads promote models" in answer.content.decode()

    def test_the_steward_may_not_compare_and_the_lead_may_not_train(self, clients: dict[str, Client]) -> None:
        row = draft()

        compared = clients["steward"].post(reverse("resolution:compare-model", args=[row.version]))
        trained = clients["lead"].post(reverse("resolution:train-model"))

        assert (compared.status_code, trained.status_code) == (403, 403)

    def test_only_who_may_do_a_thing_is_shown_its_button(
        self, clients: dict[str, Client], people: dict[str, User]
    ) -> None:
        conflict = ConflictFactory()
        claim(conflict_id=conflict.pk, actor=actor_for(people["steward"]))
        url = reverse("resolution:workbench", args=[conflict.pk])

        assert b"Propose merge" in clients["steward"].get(url).content
        assert b"Propose merge" not in clients["lead"].get(url).content
        assert b"Propose merge" not in clients["auditor"].get(url).content

    def test_the_lead_may_not_revoke_a_key(self, clients: dict[str, Client], people: dict[str, User]) -> None:
        key, _ = make_api_key(
            name="desk", user=service_user(), scopes=["read"], days=1, actor=actor_for(people["admin"])
        )

        assert clients["lead"].post(reverse("resolution:revoke-key", args=[key.pk])).status_code == 403
        assert ApiKey.objects.get().revoked_at is None

    def test_the_navigation_names_only_what_one_may_open(self, clients: dict[str, Client]) -> None:
        home = reverse("admin:index")

        assert b">Audit</a>" in clients["auditor"].get(home).content
        assert b">Audit</a>" not in clients["steward"].get(home).content
        assert b">API keys</a>" not in clients["lead"].get(home).content


class TestWritesAreLocked:
    @pytest.mark.parametrize("table", ["mapping", "message", "ticket", "sourcerecord"])
    def test_nobody_adds_or_deletes_identity_data_through_the_admin(
        self, admin_client: Client, table: str
    ) -> None:
        assert admin_client.get(reverse(f"admin:customers_{table}_add")).status_code == 403

    def test_not_even_a_superuser_edits_a_mapping(self, admin_client: Client) -> None:
        mapping = MappingFactory()
        url = reverse("admin:customers_mapping_change", args=[mapping.pk])

        answer = admin_client.post(url, {"channel_identifier": "other@example.com"})

        assert answer.status_code == 403
        mapping.refresh_from_db()
        assert mapping.channel_identifier != "other@example.com"
