"""How a model is reached: any OpenAI-compatible server, a model that runs here, or a custom function.

    spec = ModelSpec("Qwen/Qwen3-8B", base_url="http://localhost:8000/v1")
    answers = ask(spec, ["Name a fruit.", "Name a tree."])

One engine for all of them: every answer is on disk before anybody gets it, what is stored is not asked again, failures
are values, money has a limit. This room never guesses a key, follows a
redirect, runs a model's own code or cuts a text to make it fit.
"""

from hfclean.codes import ERRORS
from hfclean.models.asking import aask, ask, look, open_backend, prefetch, spent, usage
from hfclean.models.budget import Estimate, Usage, estimate
from hfclean.models.failures import AccessError, BackendError, BudgetError, ModelError, StoreError, StoreWarning
from hfclean.models.process import close
from hfclean.models.protocol import Answer, Backend, Conversation, Generation, Message, as_conversation
from hfclean.models.spec import Limits, ModelSpec, Prices
from hfclean.models.transform import ModelTransform
from hfclean.models.work import Asking, Work

__all__ = [
    "ERRORS",
    "AccessError",
    "Answer",
    "Asking",
    "Backend",
    "BackendError",
    "BudgetError",
    "Conversation",
    "Estimate",
    "Generation",
    "Limits",
    "Message",
    "ModelError",
    "ModelSpec",
    "ModelTransform",
    "Prices",
    "StoreError",
    "StoreWarning",
    "Usage",
    "Work",
    "aask",
    "as_conversation",
    "ask",
    "close",
    "estimate",
    "look",
    "open_backend",
    "prefetch",
    "spent",
    "usage",
]
