"""How fast to ask: as many at once as the server can take, no more a minute than the user allows, when to retry.

Pure bookkeeping on a given clock; nothing here waits.
"""

import random
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from math import isfinite

from hfclean.models.spec import Limits


class Pace:
    """Additive increase, multiplicative decrease of the number of requests in flight.

    At first the number doubles with every round of answers. When the server slows us down it falls by a third, once
    for all requests that were sent before it fell, and from then on grows by one a round.
    """

    def __init__(self, limits: Limits) -> None:
        self.ceiling = limits.concurrency
        self.width = float(min(limits.start, limits.concurrency))
        self.epoch = 0
        self.paused_until = 0.0
        self._doubling = True

    @property
    def limit(self) -> int:
        """How many requests may be in flight now."""
        return int(self.width)

    def answered(self) -> None:
        """A request succeeded."""
        if self.width < self.ceiling:
            self.width = min(self.ceiling, self.width + (1.0 if self._doubling else 1.0 / self.width))

    def slowed(self, epoch: int) -> None:
        """A request that was sent in this epoch was turned away, or timed out."""
        if epoch == self.epoch:
            self.epoch += 1
            self.width = max(1.0, self.width * 2 / 3)
            self._doubling = False

    def pause(self, until: float) -> None:
        """Send nothing before this moment."""
        self.paused_until = max(self.paused_until, until)


class Allowance:
    """A rate per minute, evenly spread, with a second's worth at once."""

    def __init__(self, per_minute: float | None) -> None:
        self._seconds = 60.0 / per_minute if per_minute else 0.0
        self._free_at = 0.0

    def take(self, now: float, amount: float = 1.0) -> float:
        """Take an amount; the seconds to wait before using it."""
        if not self._seconds:
            return 0.0
        wait = max(0.0, self._free_at - 1.0 - now)
        self._free_at = max(self._free_at, now) + amount * self._seconds
        return wait

    def settle(self, difference: float) -> None:
        """Correct by how much more (or less) than taken was used."""
        self._free_at += difference * self._seconds


def backoff(attempt: int, limits: Limits, chance: random.Random) -> float:
    """Seconds before the next try, after `attempt` failed ones: doubling, and never the same for all."""
    seconds: float = limits.backoff_s * 2 ** (attempt - 1)
    return min(limits.longest_wait_s, seconds) * chance.uniform(0.5, 1.0)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds that the server asks us to wait, from `Retry-After` in either form; None where it gives no valid
    time.

    A date is compared with the server's own `Date`, where there is one: our clock may be wrong.
    """
    try:
        if "retry-after-ms" in headers:
            seconds = float(headers["retry-after-ms"]) / 1000
        elif (value := headers.get("Retry-After")) is None:
            return None
        else:
            try:
                seconds = float(value)
            except ValueError:
                at = parsedate_to_datetime(value)
                since = parsedate_to_datetime(headers["Date"]) if "Date" in headers else now
                seconds = (at - since).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return max(0.0, seconds) if isfinite(seconds) else None
