"""Django's settings. Everything an operator may set comes through ``portal.environment``."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF
from psycopg.conninfo import conninfo_to_dict

from berth.calls import MOST_BYTES, MOST_ROWS
from portal import environment

ROOT = Path(__file__).resolve().parent.parent
ENV = environment.load()

SECRET_KEY = ENV.secret_key
DEBUG = False
ALLOWED_HOSTS = list(ENV.allowed_hosts)
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
APPEND_SLASH = False
AUTH_USER_MODEL = "portal.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
SITE_ID = None

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "rest_framework",
    "drf_spectacular_sidecar",
    "django_htmx",
    "csp",
    "portal",
    "models_hub",
    "predictions",
    "workers",
]

# The API's calls meet the first alone.
MIDDLEWARE = [
    "portal.lanes.ApiLane",
    "portal.middleware.RequestId",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.middleware.Tenant",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "portal.middleware.portal_context",
            ]
        },
    }
]


def _database(url: str) -> dict[str, Any]:
    """libpq's own parser reads the URL, so sockets, sslmode and the like keep their meaning."""
    given = conninfo_to_dict(url)
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host"}
    return {
        **{ours: str(given.pop(theirs, "") or "") for ours, theirs in names.items()},
        "PORT": str(given.pop("port", "")),
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": False,
        "OPTIONS": {"connect_timeout": 5, "application_name": "berth", **given},
    }


# The application connects as a role that owns nothing; migrations run as the owner.
DATABASES = {
    "default": {**_database(ENV.database_app_url), "TEST": {"MIRROR": "owner"}},
    "owner": _database(ENV.database_url),
}
DATABASE_ROUTERS = ["portal.routing.OwnerMigrates"]


def storage_backend(url: str, endpoint: str | None = None) -> dict[str, Any]:
    """``file:///folder`` or ``s3://bucket/prefix`` as Django's STORAGES wants it."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": parts.path, "allow_overwrite": True},
        }
    from botocore.config import Config  # a fifth of a second that a storage on disk need not pay

    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": parts.netloc,
            "location": parts.path.lstrip("/"),
            "endpoint_url": endpoint,
            "file_overwrite": True,
            "querystring_auth": True,
            # A storage that hangs must not hold a web thread for minutes.
            "client_config": Config(
                connect_timeout=5, read_timeout=30, retries={"max_attempts": 2}
            ),
        },
    }


STORAGES = {
    "default": storage_backend(ENV.storage_url, ENV.aws_endpoint_url),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 300

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": ENV.redis_url,
        "KEY_PREFIX": "berth",
    }
}

# Uploads go to temporary files; portal.uploads bounds and hashes them on the way.
FILE_UPLOAD_TEMP_DIR = ENV.home / "incoming"
FILE_UPLOAD_TEMP_DIR.mkdir(parents=True, exist_ok=True)
FILE_UPLOAD_HANDLERS = ["portal.uploads.HashingUploadHandler"]
DATA_UPLOAD_MAX_MEMORY_SIZE = MOST_BYTES
DATA_UPLOAD_MAX_NUMBER_FILES = 4  # an artifact, its sample, its metrics, and one by mistake
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000  # nine for each input on the page of a signature
MAX_ARTIFACT_BYTES = 512 * 1024**2
MAX_SAMPLE_BYTES = 64 * 1024**2
MAX_JOB_BYTES = 4 * 1024**3
MAX_ROWS_PER_CALL = MOST_ROWS

AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]
AUTH_PASSWORD_VALIDATORS[1]["OPTIONS"] = {"min_length": 12}  # type: ignore[assignment]  # mixed dict

ACCOUNT_ADAPTER = "portal.accounts.InvitationOnly"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key"}
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "account_login"
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
EMAIL_TIMEOUT = 15  # a mail server that hangs must not hold a worker
DEFAULT_FROM_EMAIL = ENV.email_from
if ENV.email_url:  # sets EMAIL_BACKEND, EMAIL_HOST and so on
    vars().update(environ.Env.email_url_config(ENV.email_url))

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = ENV.production
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "portal.error_pages.csrf_failure"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENV.production else None
SECURE_HSTS_SECONDS = 31_536_000 if ENV.production else 0
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "frame-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["portal.rest.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["portal.rest.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["portal.rest.JSONParser"],
    "EXCEPTION_HANDLER": "portal.rest.problem_response",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}

# How long a web process may go on with what it knew of keys and live versions (seconds).
KEY_TTL = 5.0
LIVE_TTL = 1.0
SESSION_CACHE_BYTES = 256 * 1024**2

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {"django.request": {"level": "ERROR"}, "botocore": {"level": "WARNING"}},
}
