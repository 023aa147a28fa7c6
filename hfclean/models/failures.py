"""What stops a whole run, as opposed to one request: a failed request is an `Answer` with an error, not an exception.

    HfcleanError
    ├── BackendError       no further request could succeed: server down, model unknown, request form refused
    │   ├── AccessError    the key is missing, or the server does not take it
    │   ├── BudgetError    the money or the tokens that the user allowed are spent
    │   └── ModelError     a local model cannot be used as asked
    └── StoreError         the file of answers cannot be read or written

    UserWarning
    └── StoreWarning       the file of answers holds something that the run cannot know to be its own

Each message names what was found, what was expected and the next move. None of them ever holds a key.
"""

from hfclean.errors import HfcleanError
from hfclean.errors import StoreWarning as StoreWarning


class BackendError(HfcleanError, RuntimeError):
    """A model cannot be asked at all: no further request could succeed."""


class AccessError(BackendError):
    """The key is missing, or the server does not take it."""


class BudgetError(BackendError):
    """The money or the tokens that the user allowed are spent; every answer so far is kept."""


class ModelError(BackendError):
    """A local model cannot be used as asked: no chat template, custom code, weights in an unsafe format."""


class StoreError(HfcleanError, OSError):
    """The file of answers cannot be read or written, or is not one of ours; nothing in it was changed."""
