"""The stream of orders: which group comes next, who buys, and what goes wrong. Same seed and times, same stream."""

from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from random import Random

from channels_sync.sandbox import curve, remarks
from channels_sync.sandbox.mix import SAME_IP_ORDERS, Mix, Profile
from channels_sync.sandbox.orders import SandboxOrder, make_presale, make_unpaid, new_order
from channels_sync.sandbox.people import Buyer, People
from channels_sync.sandbox.trouble import PLANT, set_trap

SHANGHAI = timezone(timedelta(hours=8))
"""The platforms' clock; it has no summer time."""
DOUBLE_ELEVEN = datetime(2026, 11, 11, tzinfo=SHANGHAI)
RESTS = timedelta(minutes=20)
"""A buyer comes back no sooner, so that no chance order looks like a duplicate (starter rule 10: 10 minutes)."""
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_WORLDS = {"taobao": "masked", "mini": "mini"}
"""What tells the random streams of two shops apart; shops that are not here go by their own name."""
_NUMBERS = {
    "taobao": "4{serial:012d}{tail}",
    "mini": "M{serial:012d}{tail}",
    "jd": "3{serial:012d}",
    "douyin": "6{serial:012d}{tail}",
    "wechat": "3{serial:012d}{tail}",
    "webhook": "W{serial:012d}{tail}",
}
"""How order numbers of a shop look; all rise with time."""
_FLAG_IS_NOTED = {"jd"}
"""Platforms on which a flag is part of a note."""


class Stream:
    """An endless stream of one shop.

    `serial` is the number of the first order; it also separates two runs of one seed. Without `shop` a masked stream is
    Taobao's and a plain one the own shop's.
    """

    def __init__(self, *, seed: int, profile: Profile, serial: int, mix: Mix | None = None, shop: str = "") -> None:
        self.profile = profile
        self.shop = shop or ("taobao" if profile == "masked" else "mini")
        self._world = _WORLDS.get(self.shop, self.shop)
        self.serial = serial
        self._mix = mix or Mix()
        self._seed = seed
        self._rng = Random(f"{seed}/{self._world}/{serial}")  # noqa: S311
        namespace = f"{self.shop[0] if self.shop in _WORLDS else self.shop}{seed}-{serial % 10**9}"
        self._people = People(self._rng, seed=seed, namespace=namespace, shows_ip=profile == "mini")
        groups = self._mix.groups(profile)
        self._kinds, self._weights = list(groups), list(groups.values())
        self._resting: deque[tuple[datetime, Buyer]] = deque()
        self._known: list[Buyer] = []

    def group(self, at: datetime, room: int | None = None) -> list[SandboxOrder]:
        """Return the next order, or the next few that belong together, from `at` on; at most `room` orders."""
        self._wake(at)
        kind = self._rng.choices(self._kinds, weights=self._weights)[0]
        if kind == "same_ip" and (room is None or room >= SAME_IP_ORDERS[1]):
            orders = self._same_ip(at)
        elif kind in {"duplicate", "pair", "household"} and (room is None or room >= 2):
            orders = self._two(kind, at)
        else:
            orders = [self._single(kind if kind in PLANT else "plain", at)]
        for order in orders:
            self._finish(order)
        return orders

    def number(self, order: SandboxOrder) -> None:
        """Give the order its number in the form of its shop."""
        tail = f"{self._seed % 100:02d}{self._rng.randrange(10_000):04d}"
        order.draft["external_no"] = _NUMBERS[self.shop].format(serial=self.serial, tail=tail)
        if order.cluster:
            order.cluster = f"{self._world}-{order.cluster}"
        self.serial += 1

    def _single(self, kind: str, at: datetime) -> SandboxOrder:
        order = new_order(self._rng, self.shop, self._buyer(at), at)
        if kind in PLANT:
            self._plant(kind, order)
        return order

    def _two(self, kind: str, at: datetime) -> list[SandboxOrder]:
        """Return two orders minutes apart: the same again, other articles of one buyer, or a relative's."""
        rng = self._rng
        buyer = self._buyer(at)
        later = at + timedelta(seconds=rng.randint(45, 420))
        first = new_order(rng, self.shop, buyer, at)
        if kind == "household":
            second = new_order(rng, self.shop, self._people.household(buyer), later)
        else:
            skus = frozenset(line["sku"] for line in first.draft["lines"])
            second = new_order(rng, self.shop, buyer, later, skus)
        if kind == "duplicate":
            second.draft["lines"] = [dict(line) for line in first.draft["lines"]]
            for name in ("total_fen", "discount_fen", "freight_fen", "paid_fen"):
                second.draft[name] = first.draft[name]
            # The one that is paid later repeats the other.
            paid_later = max((first, second), key=lambda order: (order.draft["paid_at"], order.draft["created_at"]))
            paid_later.kinds.append("duplicate")
        first.cluster = second.cluster = f"{kind}-{rng.randrange(10**9):09d}"
        first.nth, second.nth = 1, 2
        return [first, second]

    def _same_ip(self, at: datetime) -> list[SandboxOrder]:
        """Return five to eight orders of three to five buyers behind one IP within ten minutes."""
        rng = self._rng
        count = rng.randint(*SAME_IP_ORDERS)
        ring = self._people.ring(rng.randint(3, 5))
        name = f"same_ip-{rng.randrange(10**9):09d}"
        orders: list[SandboxOrder] = []
        taken: dict[str, frozenset[str]] = {}
        for turn in range(count):
            buyer = ring[turn % len(ring)]
            moment = at + timedelta(seconds=turn * 75 + rng.randint(0, 60))
            order = new_order(rng, self.shop, buyer, moment, taken.get(buyer.id, frozenset()))
            skus = frozenset(line["sku"] for line in order.draft["lines"])
            taken[buyer.id] = taken.get(buyer.id, frozenset()) | skus
            order.kinds.append("same_ip")
            order.cluster, order.nth = name, turn + 1
            orders.append(order)
        return orders

    def _finish(self, order: SandboxOrder) -> None:
        """Add what any order may have: remarks, urgency, an unpaid or presale state, a harmless oddity."""
        rng = self._rng
        if not order.kinds and not order.cluster:
            roll = rng.random()
            if roll < self._mix.unpaid:
                make_unpaid(order)
            elif roll < self._mix.unpaid + self._mix.presale and self.profile != "virtual":
                make_presale(order, rng)
            else:
                set_trap(rng, order)
        if self.shop in _FLAG_IS_NOTED and not order.draft["seller_remark"]:
            order.draft["flag"] = "none"
        remark = order.draft["buyer_remark"]
        if rng.random() < self._mix.urgent:
            order.urgent = True
            order.draft["buyer_remark"] = remarks.joined(remark, rng.choice(remarks.URGENT))
        elif not remark:
            order.draft["buyer_remark"], trap = remarks.harmless(rng)
            order.traps += [trap] if trap else []

    def _plant(self, kind: str, order: SandboxOrder) -> None:
        PLANT[kind](self._rng, order)
        order.kinds.append(kind)

    def _buyer(self, at: datetime) -> Buyer:
        if self._known and self._rng.random() < self._mix.returning:
            spot = self._rng.randrange(len(self._known))
            self._known[spot], self._known[-1] = self._known[-1], self._known[spot]
            buyer = self._known.pop()
        else:
            buyer = self._people.new()
        self._resting.append((at, buyer))
        return buyer

    def _wake(self, at: datetime) -> None:
        while self._resting and self._resting[0][0] + RESTS <= at:
            self._known.append(self._resting.popleft()[1])


def first_serial(start: datetime) -> int:
    """Return the serial of a stream that starts at `start`: hundredths of a second, so that later streams lie above."""
    return int((start - _EPOCH).total_seconds() * 100)


def generate(
    count: int,
    *,
    seed: int,
    profile: Profile = "mini",
    start: datetime = DOUBLE_ELEVEN,
    hours: float = 24.0,
    mix: Mix | None = None,
    shop: str = "",
    serial: int = 0,
) -> list[SandboxOrder]:
    """Return exactly `count` orders over `hours` from `start` along the day's curve, by time of placing.

    Without `serial` the numbers follow from `start`.
    """
    stream = Stream(seed=seed, profile=profile, serial=serial or first_serial(start), mix=mix, shop=shop)
    moments = curve.times(Random(f"{seed}/times"), count, start=start, hours=hours)  # noqa: S311
    orders: list[SandboxOrder] = []
    while len(orders) < count:
        orders += stream.group(moments[len(orders)], room=count - len(orders))
    orders.sort(key=_placed)
    number_all(stream, orders)
    return orders


def number_all(stream: Stream, orders: Iterable[SandboxOrder]) -> None:
    """Number the orders in the given sequence."""
    for order in orders:
        stream.number(order)


def _placed(order: SandboxOrder) -> datetime:
    return datetime.fromisoformat(order.draft["created_at"])
