"""The Hub: the only door to it. Cleaned datasets and revisers go there whole, with honest cards, and come back.

Nothing is uploaded that was not asked for, nothing is asked interactively, and no token is shown or kept.
"""

from hfclean.hub.benchmarks import push_benchmarks
from hfclean.hub.dataset import push_dataset
from hfclean.hub.failures import HubAccessError, HubError, HubRefusal, HubUnreachable, RepoError
from hfclean.hub.loading import load_cleaned, pull_dataset
from hfclean.hub.metric import push_metric
from hfclean.hub.model import push_reviser, push_rule
from hfclean.hub.pulling import pull, render_card
from hfclean.hub.push_plan import PlannedFile, PushPlan
from hfclean.hub.pushing import PushOptions
from hfclean.hub.remote import Patience, Pushed
from hfclean.hub.secrets import Secret

__all__ = [
    "HubAccessError",
    "HubError",
    "HubRefusal",
    "HubUnreachable",
    "Patience",
    "PlannedFile",
    "PushOptions",
    "PushPlan",
    "Pushed",
    "RepoError",
    "Secret",
    "load_cleaned",
    "pull",
    "pull_dataset",
    "push_benchmarks",
    "push_dataset",
    "push_metric",
    "push_reviser",
    "push_rule",
    "render_card",
]
