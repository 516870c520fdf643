"""API tokens: issue, find by secret, take back. Only a keyed digest of a secret is stored."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import structlog
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from orderhub.core.crypto import keyring
from orderhub.core.errors import FieldError
from orderhub.models import ApiToken, Shop

log = structlog.get_logger(__name__)

INTAKE_WRITE = "intake:write"
ORDERS_READ = "orders:read"
METRICS_READ = "metrics:read"
SCOPES = (INTAKE_WRITE, ORDERS_READ, METRICS_READ)

USED_EVERY_SECONDS = 60
"""`last_used_at` is that exact; a write per request would cost more than the request."""


@dataclass(slots=True, frozen=True)
class Client:
    """The system behind a valid token; `shop_ids` None means every shop."""

    token_id: int
    name: str
    scopes: tuple[str, ...]
    shop_ids: tuple[int, ...] | None

    @property
    def is_authenticated(self) -> bool:
        """Always true: a request without a valid token has no client."""
        return True

    @property
    def pk(self) -> str:
        """The id that logs show; never the number of a person."""
        return f"token:{self.token_id}"

    def may_see(self, shop_id: int) -> bool:
        """Tell whether this client's token covers a shop."""
        return self.shop_ids is None or shop_id in self.shop_ids


@transaction.atomic
def issue_token(
    *, name: str, scopes: Iterable[str], actor: str, shops: Sequence[Shop] = (), expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """Make a token and return it with its secret, which cannot be shown again.

    No `shops` means every shop. Raises FieldError for an unknown scope or an end in the past.
    """
    wanted = list(dict.fromkeys(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        raise FieldError("scopes", _("Choose among: %(scopes)s") % {"scopes": _(", ").join(SCOPES)})
    if expires_at is not None and expires_at <= timezone.now():
        raise FieldError("expires_at", _("The end lies in the past."))
    secret = f"hub_{secrets.token_urlsafe(32)}"
    token = ApiToken.objects.create(
        name=name, digest=digest(secret), scopes=wanted, every_shop=not shops, expires_at=expires_at
    )
    token.shops.set(shops)
    log.info("api token issued", token_id=token.pk, scopes=wanted, actor=actor)
    return token, secret


def revoke_token(*, token_id: int, actor: str) -> bool:
    """Switch a token off; false when it was off already."""
    revoked = ApiToken.objects.filter(pk=token_id, is_active=True).update(is_active=False) == 1
    log.info("api token revoked", token_id=token_id, revoked=revoked, actor=actor)
    return revoked


def digest(secret: str) -> str:
    """Return the keyed digest under which a secret is stored."""
    return blake2b(secret.encode(), digest_size=32, key=keyring().index_key, person=b"token").hexdigest()


def client_of(secret: str) -> Client | None:
    """Return the client that a secret belongs to, None when it is unknown, switched off or past its end. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT t.id, t.name, t.scopes, t.every_shop,
                   ARRAY(SELECT s.shop_id FROM orderhub_apitoken_shops s WHERE s.apitoken_id = t.id ORDER BY 1),
                   t.last_used_at IS NULL OR t.last_used_at < now() - make_interval(secs => %s)
            FROM orderhub_apitoken t
            WHERE t.digest = %s AND t.is_active AND (t.expires_at IS NULL OR t.expires_at > now())
            """,
            [USED_EVERY_SECONDS, digest(secret)],
        )
        row = cursor.fetchone()
        if row is None:
            return None
        token_id, name, scopes, every_shop, shop_ids, is_stale = row
        if is_stale:
            cursor.execute("UPDATE orderhub_apitoken SET last_used_at = now() WHERE id = %s", [token_id])
    return Client(token_id, name, tuple(scopes), None if every_shop else tuple(shop_ids))
