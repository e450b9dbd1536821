"""Django's settings, all from the environment: WELLSERVED_HOME, DATABASE_URL and WELLSERVED_*; nothing needs setting."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from csp.constants import NONE, SELF

from wellserved import render, server
from wellserved.errors import RequestError
from wellserved.storage.workspace import default_folder, open_workspace
from wellserved.store.databases import database_settings


def _setting(name: str, default: str = "") -> str:
    """A setting, or the content of the file that NAME_FILE names."""
    if file := os.environ.get(f"{name}_FILE"):
        return Path(file).read_text(encoding="utf-8").strip()
    return os.environ.get(name, default)


def _hours(name: str, default: int) -> timedelta:
    """A setting in hours."""
    text = _setting(name, str(default))
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= 24 * 366):
        raise RequestError(f"{name} is {text!r}.", "Give whole hours, from 1 to 8784.")
    return timedelta(hours=int(text))


WEB_FOLDER = Path(__file__).parent
WORKSPACE = open_workspace(default_folder())
SECRET_KEY = WORKSPACE.secret()
DEBUG = False
SECURE = _setting("WELLSERVED_HTTPS") == "1"  # served behind a proxy that speaks HTTPS
LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
ALLOWED_HOSTS = [*LOOPBACK, *filter(None, _setting("WELLSERVED_HOSTS").split(","))]
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS if host not in LOOPBACK]
if _setting("WELLSERVED_PROXY"):
    raise RequestError(
        "WELLSERVED_PROXY believed anybody's word and is no setting any more.",
        "Name the proxy's own address: WELLSERVED_TRUSTED_PROXIES=127.0.0.1.",
    )
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5_000  # a mapping has two fields a column
LIMITS = server.ServerLimits(
    uploads={
        "/data/": 2 * 2**30,
        "/customers/file": 6 * 2**20,
        "/api/v1/moments/bulk": 2 * 2**20,
        "/api/v1/contracts": 2 * 2**20,
        "/resume/": 2**18,
        "/resume/file": 2**19 + 2**14,
        r"/reports/\d{4}-W\d\d/(?:send)?": 2**18,  # 20,000 letters, of which a form makes up to twelve bytes each
    },
    proxies=server.networks(_setting("WELLSERVED_TRUSTED_PROXIES")),
)

DATABASES = database_settings(WORKSPACE.folder, _setting("DATABASE_URL"), _setting("JOURNAL_DATABASE_URL"))
DATABASE_ROUTERS = ["wellserved.store.databases.Router"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "store.Person"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "wellserved.store",
    "wellserved.journal",
    "wellserved.web",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "wellserved.web.access_middleware.AccessMiddleware",
    "wellserved.web.uploads.UploadCheckMiddleware",
]
ROOT_URLCONF = "wellserved.web.urls"
WSGI_APPLICATION = None
FORM_RENDERER = "django.forms.renderers.Jinja2"  # compiled: a page with three forms takes 24 in place of 34 ms
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [WEB_FOLDER / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "wellserved.web.navigation.page_context",
            ],
            "builtins": ["wellserved.web.template_filters", "django.templatetags.i18n", "django.templatetags.static"],
        },
    }
]

AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_ADAPTER = "wellserved.web.login.NoSignUpAdapter"
ACCOUNT_FORMS = {
    "login": "wellserved.web.login.Login",
    "change_password": "wellserved.web.login.ChangePassword",
    "reauthenticate": "wellserved.web.login.ReauthenticationForm",
}
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = {"unlock": "10/5m/user"}  # tries to open a journal, beside allauth's own limits
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not SECURE
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "today"
LOGOUT_REDIRECT_URL = "account_login"

LANGUAGE_CODE = "en"
USE_I18N = True
LOCALE_PATHS = [WEB_FOLDER / "locale"]  # another language is offered where there is a catalogue, and nowhere by halves
LANGUAGES = [("en", "English"), *((catalogue.name, catalogue.name) for catalogue in sorted(LOCALE_PATHS[0].glob("*")))]
USE_TZ = True
TIME_ZONE = WORKSPACE.zone
FORMAT_MODULE_PATH = "wellserved.web.formats"

STATIC_URL = "static/"
STATICFILES_DIRS = [WEB_FOLDER / "static", ("look", Path(render.__file__).parent / "look")]
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 3600

IDLE, LASTS = _hours("WELLSERVED_IDLE_HOURS", 14 * 24), _hours("WELLSERVED_SESSION_HOURS", 30 * 24)
IDLE_ADMINISTRATORS = min(IDLE, _hours("WELLSERVED_IDLE_HOURS_ADMINISTRATORS", 12))
LASTS_ADMINISTRATORS = min(LASTS, _hours("WELLSERVED_SESSION_HOURS_ADMINISTRATORS", 7 * 24))
SESSION_COOKIE_AGE = int(LASTS.total_seconds())
_PREFIX = "__Host-" if SECURE else ""
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{_PREFIX}session", f"{_PREFIX}csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 2**20
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 2**20
FILE_UPLOAD_PERMISSIONS = 0o600
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"  # Django sends nothing: reports leave by actions/smtp.py
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"disk": {"()": "wellserved.web.error_handling.DiskErrorFilter"}},
    "formatters": {"discreet": {"()": "wellserved.web.log_redaction.RedactingFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "filters": ["disk"], "formatter": "discreet"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {"waitress.queue": {"level": "ERROR"}},  # a line for each request that waits would fill the disk
}
