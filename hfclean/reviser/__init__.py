"""Revisers: what changes the text of a row, and records that it did. Those that ask a model are in modules of their
own, loaded when they are used."""

from hfclean.reviser.record import FieldChange, Outcome, record
from hfclean.reviser.rules import RuleReviser, revise

__all__ = ["FieldChange", "Outcome", "RuleReviser", "record", "revise"]
