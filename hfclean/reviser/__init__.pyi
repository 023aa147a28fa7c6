from .coach import Reviser as Reviser
from .modelled import ModelReviser as ModelReviser
from .pii import MaskPII as MaskPII
from .record import FieldChange as FieldChange
from .record import Outcome as Outcome
from .reflection import Reflection as Reflection
from .rules import RuleReviser as RuleReviser
from .rules import revise as revise
