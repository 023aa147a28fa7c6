from .converting import FORMS as FORMS
from .converting import convert as convert
from .converting import losses_of as losses_of
from .losses import Losses as Losses
from .preferences import preference_pairs as preference_pairs
