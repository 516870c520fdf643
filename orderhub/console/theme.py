"""The console's look as data for the theme; imported by the settings, so it imports nothing of the project."""

from typing import Any

from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": _("Order hub"),
    "SITE_HEADER": _("Order hub"),
    "SITE_SYMBOL": "hub",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("console/icon.svg")}],
    "SITE_URL": None,
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "6px",
    "STYLES": [lambda _request: static("console/console.css")],
    "SCRIPTS": [lambda _request: static("console/console.js")],
    "SIDEBAR": {"show_search": False, "navigation": "orderhub.console.navigation.navigation"},
    "COLORS": {
        "base": {
            "50": "oklch(98.4% .003 247.9)",
            "100": "oklch(96.8% .005 247.9)",
            "200": "oklch(92.5% .009 255.5)",
            "300": "oklch(86.9% .014 252.9)",
            "400": "oklch(70.4% .028 256.8)",
            "500": "oklch(53.5% .032 257.4)",
            "600": "oklch(44.6% .033 257.3)",
            "700": "oklch(37.2% .034 257.3)",
            "800": "oklch(28.2% .028 260)",
            "900": "oklch(21.5% .024 262)",
            "950": "oklch(15% .02 264)",
        },
        "primary": {
            "50": "oklch(97% .014 254.6)",
            "100": "oklch(93.2% .032 255.6)",
            "200": "oklch(88.2% .059 254.1)",
            "300": "oklch(80.9% .105 251.8)",
            "400": "oklch(70.7% .145 254.6)",
            "500": "oklch(62.3% .17 259.8)",
            "600": "oklch(52.5% .19 261)",
            "700": "oklch(46.5% .18 262)",
            "800": "oklch(40% .15 263)",
            "900": "oklch(35% .12 264)",
            "950": "oklch(27% .08 266)",
        },
        "font": {
            "subtle-light": "var(--color-base-500)",
            "subtle-dark": "var(--color-base-400)",
            "default-light": "var(--color-base-700)",
            "default-dark": "var(--color-base-300)",
            "important-light": "var(--color-base-900)",
            "important-dark": "var(--color-base-100)",
        },
    },
}
