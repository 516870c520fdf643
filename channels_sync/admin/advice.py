"""What a failing channel means in plain words, and what to do next: by cause, more exactly for some platforms.

Sources of the platforms' ways: protocol reference 1.5 (Taobao), 3.1 and 3.4 (JD), 4.3 (Douyin), 5.4 (WeChat).
"""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels_sync.connectors.causes import Cause


@dataclass(frozen=True, slots=True)
class Advice:
    """One failure for people: what it is, what to do next, and whether it passes without them."""

    what: str | Promise
    todo: str | Promise
    passes: bool = False


_PASSES = _("Nothing to do: it is tried again by itself, and the next pull covers the gap.")

GENERAL: dict[str, Advice] = {
    Cause.SESSION: Advice(
        _("The platform does not accept the shop's authorisation any more."),
        _("Authorise the shop again on the platform and enter the new token here. It is tried at once."),
    ),
    Cause.WITHDRAWN: Advice(
        _("The shop has withdrawn the authorisation of this application."),
        _("Ask the shop's owner to order and authorise the application again, then enter the new token here."),
    ),
    Cause.MISSING: Advice(
        _("A credential that every call needs is missing."),
        _("Enter the missing credentials on the shop's page."),
    ),
    Cause.SECRET: Advice(
        _("The platform refuses the application key or its secret."),
        _("Copy key and secret from the platform's developer page again and enter both here."),
    ),
    Cause.CLOCK: Advice(
        _("The platform finds the time of our requests wrong."),
        _("Set this server's clock by NTP. Every shop is hit by it sooner or later."),
    ),
    Cause.ADDRESS: Advice(
        _("The platform does not know this server's address."),
        _("Add the server's public address to the allow list of the application."),
    ),
    Cause.RIGHTS: Advice(
        _("The application lacks the permission for this call."),
        _("Apply for the permission package of orders on the platform's developer page; then try the connection."),
    ),
    Cause.LIMIT: Advice(
        _("The platform limits how often we may call."),
        _("Nothing to do: the hub waits. If it comes often, lower “Calls a second” on the shop's page."),
        passes=True,
    ),
    Cause.QUOTA: Advice(
        _("The calls that the platform allows in a day are used up."),
        _("It goes on when the quota is renewed. Ask the platform for a larger one; pushes still arrive meanwhile."),
    ),
    Cause.NETWORK: Advice(
        _("The platform could not be reached in time."),
        _("Nothing to do while it lasts minutes. If every shop shows this, check this server's network."),
        passes=True,
    ),
    Cause.SERVICE: Advice(_("The platform is disturbed and answers with errors."), _PASSES, passes=True),
    Cause.ANSWER: Advice(_("The platform's answer came damaged or cut short."), _PASSES, passes=True),
    Cause.REFUSED: Advice(
        _("The platform refuses the call."),
        _("Read the platform's own words below. Try the connection after mending; else ask the platform's support."),
    ),
    Cause.PLATFORM: Advice(
        _("No connector knows this shop's platform."),
        _("Choose a known platform for the shop, or add a connector for it."),
    ),
    Cause.HUB: Advice(
        _("The hub itself failed while it took orders in."),
        _("Give the time and this sentence to whoever maintains the hub. It is tried again meanwhile."),
    ),
}

BY_PLATFORM: dict[tuple[str, str], Advice] = {
    ("taobao", Cause.SESSION): Advice(
        _("Taobao does not accept the session any more: it ran out, or the owner changed password or security."),
        _("Log in as the shop's owner, authorise the application again, and enter the new session on the shop's page."),
    ),
    ("taobao", Cause.QUOTA): Advice(
        _("Taobao has banned the application's calls for the rest of the day."),
        _("Buy more calls on the application's page of the open platform. Pulling goes on when the ban is over."),
    ),
    ("jd", Cause.SESSION): Advice(
        _("JD does not accept the access token any more."),
        _("Press “Renew authorisation”. Without a refresh token, authorise the shop at JD and enter both tokens."),
    ),
    ("jd", Cause.QUOTA): Advice(
        _("The calls that JD allows this application in a day are used up."),
        _("It is tried every five minutes until midnight. Apply for a higher limit; an application in test gets 500."),
    ),
    ("douyin", Cause.SESSION): Advice(
        _("Douyin does not accept the access token any more."),
        _("Press “Renew authorisation”. If that fails, the shop's owner authorises the application once more."),
    ),
    ("douyin", Cause.RIGHTS): Advice(
        _("The application lacks a permission package at Douyin."),
        _("Apply for the package of orders and after-sales in the developer console; refunds can wait for it."),
    ),
    ("wechat", Cause.SESSION): Advice(
        _("WeChat does not accept the access token: another system may be asking for tokens of the same shop."),
        _("Press “Renew authorisation”. If it comes back, let no other system use this App ID and secret."),
    ),
    ("wechat", Cause.SECRET): Advice(
        _("WeChat refuses App ID or App Secret, or the secret is frozen."),
        _("Reset the App Secret in the shop's back office and enter it here; the old one stops working at once."),
    ),
    ("wechat", Cause.ADDRESS): Advice(
        _("This server's address is not on the allow list of the WeChat shop."),
        _("Add the server's public address in the shop's back office under open interfaces, IP allow list."),
    ),
    ("wechat", Cause.QUOTA): Advice(
        _("The calls that WeChat allows in a day are used up."),
        _("They are renewed at midnight in China. Clear the count once in the back office, or pull less often."),
    ),
}  # fmt: skip


def advice(platform: str, cause: str) -> Advice:
    """Return what a failure with this cause means for a shop of this platform."""
    known = BY_PLATFORM.get((platform, cause))
    return known or GENERAL.get(cause, GENERAL[Cause.REFUSED])
