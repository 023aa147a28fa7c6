"""Cards: a report becomes the README.md of a dataset, a reviser or a rule that of a model; `check_card` reads one as
the Hub would."""

from hfclean.cards.card import BEGIN, END, dataset_card
from hfclean.cards.checking import check_card
from hfclean.cards.licences import Derived, derive_license
from hfclean.cards.metadata import LICENSES, CardError, config_family, read_card
from hfclean.cards.model_card import (
    Comparison,
    Evaluation,
    ReviserFacts,
    read_comparisons,
    read_evaluation,
    reviser_card,
    rule_card,
    rule_reviser_card,
)

__all__ = [
    "BEGIN",
    "END",
    "LICENSES",
    "CardError",
    "Comparison",
    "Derived",
    "Evaluation",
    "ReviserFacts",
    "check_card",
    "config_family",
    "dataset_card",
    "derive_license",
    "read_card",
    "read_comparisons",
    "read_evaluation",
    "reviser_card",
    "rule_card",
    "rule_reviser_card",
]
