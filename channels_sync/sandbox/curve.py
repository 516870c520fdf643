"""How a Double 11 day fills: a rush at midnight, a quiet night, a second rush at 20:00."""

from bisect import bisect_right
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random

HOURS = (
    21.0, 7.5, 3.0, 1.5, 1.0, 1.0, 1.5, 2.5, 4.0, 5.2, 5.8, 4.6, 4.4, 4.0, 4.0, 3.8, 3.5, 3.2,
    3.5, 5.0, 9.5, 7.0, 6.0, 5.0,
)  # fmt: skip
"""Share of the day's orders in each hour of the shop's clock."""
RUSH_HOURS = frozenset({0, 20})
"""In these hours half of the orders come in the first ten minutes."""
_RUSH_SHARE = 0.5
_RUSH_SECONDS = 600


def times(rng: Random, count: int, *, start: datetime, hours: float) -> list[datetime]:
    """Return `count` sorted moments from `start` on, spread by the day's curve over `hours` hours."""
    whole = int(hours)
    weights = [HOURS[(start.hour + i) % 24] for i in range(whole)]
    if hours > whole:
        weights.append(HOURS[(start.hour + whole) % 24] * (hours - whole))
    cumulated = list(accumulate(weights))
    moments = []
    for _ in range(count):
        hour = bisect_right(cumulated, rng.random() * cumulated[-1], hi=len(cumulated) - 1)
        length = 3600.0 if hour < whole else 3600.0 * (hours - whole)
        seconds = hour * 3600 + _within(rng, (start.hour + hour) % 24, length)
        moments.append(start + timedelta(seconds=int(seconds)))
    return sorted(moments)


def _within(rng: Random, hour: int, length: float) -> float:
    if hour in RUSH_HOURS and rng.random() < _RUSH_SHARE:
        return rng.random() * min(_RUSH_SECONDS, length)
    return rng.random() * length
