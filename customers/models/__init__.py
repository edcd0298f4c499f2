"""The tables of the register."""

from __future__ import annotations

from customers.models.channel import Channel
from customers.models.customer import PROFILE_FIELDS, Customer
from customers.models.mapping import Mapping
from customers.models.message import Message
from customers.models.source_record import SourceRecord
from customers.models.ticket import Ticket

__all__ = ["PROFILE_FIELDS", "Channel", "Customer", "Mapping", "Message", "SourceRecord", "Ticket"]
