"""Made-up buyers: Faker names and phones, a nickname, an address and, where the platform shows it, an IP."""

from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random

from faker import Faker

from channels_sync.sandbox.places import Address, good, words

POOL = 3_000
"""Names and phone openings taken from Faker once; drawing from a pool is what makes 20,000 orders take seconds."""

# First octets in use by mainland carriers, so that an address looks like any buyer's.
_NETWORKS = (36, 39, 42, 58, 60, 61, 101, 106, *range(110, 126), 171, 175, 180, 182, 183, 202, 210, *range(218, 224))
_NICK_HEADS = words("nickname_heads")
_NICK_TAILS = words("nickname_tails")

INVALID_PHONES = (
    "", "12345678901", "11111111111", "00000000000", "99999999999", "1381234567", "138123456789", "10512345678",
    "1234567", "手机号见备注", "13800138000", "88888888888", "abc13812345", "4008001234",
)  # fmt: skip
"""Values that cannot be a buyer's phone (reference `domain.md` 4.4)."""


@dataclass(frozen=True, slots=True)
class Buyer:
    """One buyer as the platforms know him; `ip` is empty where the platform does not tell it."""

    id: str
    nickname: str
    ip: str
    name: str
    phone: str
    address: Address


@lru_cache(maxsize=4)
def _pool(seed: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    faker = Faker("zh_CN")
    faker.seed_instance(seed)
    names = tuple(faker.name() for _ in range(POOL))
    openings = tuple(faker.phone_number()[:7] for _ in range(POOL))
    return names, openings


class People:
    """Makes buyers from a seed; `namespace` keeps the ids of two runs apart."""

    def __init__(self, rng: Random, *, seed: int, namespace: str, shows_ip: bool) -> None:
        self._rng = rng
        self._names, self._openings = _pool(seed)
        self._namespace = namespace
        self._shows_ip = shows_ip
        self._made = 0

    def new(self) -> Buyer:
        """Return a buyer who was not here before."""
        rng = self._rng
        self._made += 1
        return Buyer(
            id=f"u-{self._namespace}-{self._made}",
            nickname=nickname(rng),
            ip=ip(rng) if self._shows_ip else "",
            name=rng.choice(self._names),
            phone=self.phone(),
            address=good(rng),
        )

    def phone(self) -> str:
        """Return a valid mobile number; about three in a hundred in an unusual but valid form."""
        rng = self._rng
        tail = f"{rng.randrange(10_000):04d}"
        number = rng.choice(self._openings) + tail
        roll = rng.random()
        if roll < 0.010:
            return f"+86 {number[:3]} {number[3:7]} {number[7:]}"
        if roll < 0.020:
            return f"{number[:3]}-{number[3:7]}-{number[7:]}"
        if roll < 0.025:
            return f"{rng.choice(('0571', '021', '010', '0755'))}-{rng.randint(20_000_000, 89_999_999)}"
        return number

    def household(self, buyer: Buyer) -> Buyer:
        """Return somebody else at the same address and IP."""
        return replace(self.new(), ip=buyer.ip, address=buyer.address)

    def ring(self, size: int) -> list[Buyer]:
        """Return buyers behind one IP, each with an own name, phone and address."""
        first = self.new()
        return [first, *(replace(self.new(), ip=first.ip) for _ in range(size - 1))]


def nickname(rng: Random) -> str:
    """Return a nickname such as buyers give themselves."""
    roll = rng.random()
    if roll < 0.4:
        return f"tb{rng.randint(10_000_000, 999_999_999)}"
    name = rng.choice(_NICK_HEADS) + rng.choice(_NICK_TAILS)
    return name if roll < 0.7 else f"{name}{rng.randint(1, 2024)}"


def ip(rng: Random) -> str:
    """Return an IPv4 address of a mainland carrier's range."""
    return f"{rng.choice(_NETWORKS)}.{rng.randint(1, 254)}.{rng.randint(0, 255)}.{rng.randint(2, 253)}"


def virtual_phone(rng: Random) -> str:
    """Return a privacy number with extension, valid although it is nobody's own."""
    return f"1{rng.choice('78')}{rng.randint(400_000_000, 999_999_999)}-{rng.randint(1000, 9999)}"
