"""Settings of the hub; every choice that differs between machines is read from the environment (`.env.example`)."""

from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import django_stubs_ext
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from orderhub.console.theme import UNFOLD as UNFOLD
from orderhub.core import env
from orderhub.core.caller import FORWARDED_PROTO
from orderhub.core.logging import LOGGING as LOGGING

# Lets annotations like ModelAdmin[Order] stand at run time.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
PRODUCTION = env.flag("HUB_PRODUCTION", False)
DEBUG = env.flag("HUB_DEBUG", False)

SECRET_KEY = env.text("HUB_SECRET_KEY")
HUB_DATA_KEYS = env.words("HUB_DATA_KEYS", env.text("HUB_DATA_KEYS"))
HUB_INDEX_KEY = env.text("HUB_INDEX_KEY")
if PRODUCTION and (DEBUG or "local-only" in f"{SECRET_KEY}{HUB_DATA_KEYS}"):
    raise ImproperlyConfigured("Production refuses local-only secrets and debug mode: see .env.example.")

ALLOWED_HOSTS = env.words("HUB_HOSTS", "" if PRODUCTION else "127.0.0.1,localhost,[::1]")
if PRODUCTION and not ALLOWED_HOSTS:
    # Probes are answered under any name: they would call a hub well that refuses every page.
    raise ImproperlyConfigured("Set the environment variable HUB_HOSTS. See .env.example.")
CSRF_TRUSTED_ORIGINS = env.words("HUB_ORIGINS")
# Believed about where a request comes from; the same as in gunicorn.conf.py. A developer's machine has none.
HUB_PROXIES = env.networks("HUB_PROXIES", "127.0.0.1,::1" if PRODUCTION else "")

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "orderhub.console.apps.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "django_q",
    "django_structlog",
    "csp",
    "orderhub.apps.OrderHubConfig",
    "channels_sync.apps.ChannelsSyncConfig",
    "triage.apps.TriageConfig",
]

MIDDLEWARE = [
    "orderhub.console.middleware.ProxyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "orderhub.console.middleware.LanguageMiddleware",
    "orderhub.console.middleware.HostMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "orderhub.console.middleware.RequestLogMiddleware",
    "orderhub.console.middleware.PolicyMiddleware",
]

ROOT_URLCONF = "orderhub.urls"
WSGI_APPLICATION = "orderhub.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "DIRS": [BASE_DIR / "orderhub" / "desk" / "templates", BASE_DIR / "orderhub" / "console" / "templates"],
        "OPTIONS": {
            "libraries": {"console": "orderhub.console.tags", "desk": "orderhub.desk.tags"},
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


def _database(url: str) -> dict[str, object]:
    """Return Django's dictionary for `postgresql://user:password@host:port/name?option=value`."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured("DATABASE_URL must start with postgresql:// (the hub runs on PostgreSQL only).")
    options: dict[str, object] = {
        "application_name": "orderhub",
        "connect_timeout": 2,
        # A host that vanishes sends no reset: without these its kernel lets a process wait for hours.
        "tcp_user_timeout": 10_000,
        "keepalives": 1,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        **dict(parse_qsl(parts.query)),
    }
    host = options.pop("host", None) or unquote(parts.hostname or "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        # No server-side cursors and no session state: a transaction pooler may stand between.
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": options,
    }


DATABASES = {"default": _database(env.text("DATABASE_URL"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = reverse_lazy("desk:login")
LOGIN_REDIRECT_URL = reverse_lazy("desk:home")

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("Simplified Chinese")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "Asia/Shanghai"
USE_TZ = True

STATIC_URL = "static/"
# Only production collects; elsewhere files are served from where they lie.
STATIC_ROOT = BASE_DIR / "staticfiles" if PRODUCTION else None
STATICFILES_DIRS = [BASE_DIR / "orderhub" / "console" / "static", BASE_DIR / "orderhub" / "desk" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not PRODUCTION

# Shared by all processes; rate limits and worker statistics must not live in one process's memory.
# Beyond so many rows a third of all is thrown away, counters that are running included; by default that is 300.
HUB_CACHE_TABLE = "hub_cache"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": HUB_CACHE_TABLE,
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "orderhub.desk.errors.csrf_failure"
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
if PRODUCTION:
    SECURE_PROXY_SSL_HEADER = FORWARDED_PROTO
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME = "__Host-session"
    CSRF_COOKIE_NAME = "__Host-csrf"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'self'"],
    }
}

# Addresses of people are personal data and would be dropped; finding them out costs a tenth of a request.
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False

DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 1024 * 1024
# The page of a word list sends eight or nine fields a term, for as many terms as a form takes (2,000).
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000

HUB_WORKERS = env.number("HUB_WORKERS", 4, low=1, high=100)
# Work is rows with leases; a queued task only says "drain up to N rows" (docs/decisions/003-jobs.md).
Q_CLUSTER = {
    "name": "hub",
    "label": _("Jobs"),
    "orm": "default",
    "workers": HUB_WORKERS,
    "timeout": 120,
    "retry": 600,
    "queue_limit": 2,
    "bulk": 1,
    "max_attempts": 5,
    "ack_failures": False,
    "catch_up": False,
    "save_limit": -1,
    "recycle": 200,
    "poll": 0.5,
    "guard_cycle": 1.0,
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["orderhub.api.auth.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["orderhub.api.auth.HasScope"],
    "DEFAULT_PAGINATION_CLASS": "orderhub.api.paging.KeysetPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_RENDERER_CLASSES": ["orderhub.api.rendering.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["orderhub.api.rendering.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "orderhub.api.errors.handle",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Order hub API",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    # A field that may be empty besides must not make a second name of it.
    "ENUM_NAME_OVERRIDES": {"StatusEnum": "orderhub.core.words.Status.choices"},
}

# Gateways are settings, never console fields: an operator must not be able to point the hub at an inner address.
TAOBAO_GATEWAY_URL = env.text("HUB_TAOBAO_GATEWAY_URL", "https://eco.taobao.com/router/rest")
TAOBAO_AUTHORISE_URL = env.text("HUB_TAOBAO_AUTHORISE_URL", "https://oauth.taobao.com/authorize")
JD_GATEWAY_URL = env.text("HUB_JD_GATEWAY_URL", "https://api.jd.com/routerjson")
JD_OAUTH_URL = env.text("HUB_JD_OAUTH_URL", "https://open-oauth.jd.com/oauth2")
DOUYIN_GATEWAY_URL = env.text("HUB_DOUYIN_GATEWAY_URL", "https://openapi-fxg.jinritemai.com")
DOUYIN_AUTHORISE_URL = env.text("HUB_DOUYIN_AUTHORISE_URL", "https://fuwu.jinritemai.com/authorize")
QIMEN_GATEWAY_URL = env.text("HUB_QIMEN_GATEWAY_URL", "https://qimen.api.taobao.com/router/qimen/service")
WECHAT_GATEWAY_URL = env.text("HUB_WECHAT_GATEWAY_URL", "https://api.weixin.qq.com")
OUTBOUND_TIMEOUT_SECONDS = env.number("HUB_OUTBOUND_TIMEOUT", 10, low=1, high=30)

HUB_BATCH_SIZE = env.number("HUB_BATCH_SIZE", 500, low=1, high=1000)
HUB_BACKLOG_PER_MINUTE = env.number("HUB_BACKLOG_PER_MINUTE", 12_000, low=1, high=1_000_000)
HUB_REVEALS_PER_HOUR = env.number("HUB_REVEALS_PER_HOUR", 30, low=0, high=10_000)
HUB_CONFIRM_MINUTES = env.number("HUB_CONFIRM_MINUTES", 30, low=1, high=1440)
HUB_MERGE_WINDOW_SECONDS = env.number("HUB_MERGE_WINDOW_SECONDS", 600, low=0, high=86_400)

HUB_KEEP_PAYLOAD_DAYS = env.number("HUB_KEEP_PAYLOAD_DAYS", 30, low=1, high=36_500)
# China's e-commerce law (article 31) asks for three years from the end of a trade.
HUB_KEEP_RECEIVER_DAYS = env.number("HUB_KEEP_RECEIVER_DAYS", 1095, low=1, high=36_500)
HUB_KEEP_EFFECT_DAYS = env.number("HUB_KEEP_EFFECT_DAYS", 180, low=1, high=36_500)
# A watch that is silent for a minute counts as dead.
HUB_WATCH_SECONDS = env.number("HUB_WATCH_SECONDS", 2, low=1, high=30)
HUB_ALARM_COMMAND = env.text("HUB_ALARM_COMMAND", "")
