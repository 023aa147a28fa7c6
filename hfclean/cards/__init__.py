"""Cards: a report becomes the README.md of a dataset; `check_card` reads one as the Hub would."""

from hfclean.cards.card import BEGIN, END, dataset_card
from hfclean.cards.checking import check_card
from hfclean.cards.metadata import LICENSES, CardError, read_card

__all__ = ["BEGIN", "END", "LICENSES", "CardError", "check_card", "dataset_card", "read_card"]
