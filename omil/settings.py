"""Every setting of Omil, read once from the environment through env.py; a bad value stops the start and is named.

Times are in seconds, sizes in bytes and rates in frames per second unless the name says otherwise.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote, urlsplit

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from omil import env, secrets, store, valkey

BASE_DIR = Path(__file__).resolve().parent.parent

# The newest heading of the change log names the version.
_heading = re.search(r"^## (\d+\.\d+\.\d+)", (BASE_DIR / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
if _heading is None:
    raise ImproperlyConfigured("CHANGELOG.md has no heading of the form '## 1.2.3'.")
VERSION = _heading[1]

# --- Where state is kept -------------------------------------------------------------------------------------------

DATA_DIR = env.folder("OMIL_DATA_DIR", BASE_DIR / "var")
SPOOL_DIR = DATA_DIR / "spool"  # Ring, log and checkpoint of every camera; local to this node.
TRACKS_DIR = DATA_DIR / "tracks"  # The track log.
MODELS_DIR = DATA_DIR / "models"  # Weights and what was exported from them.
OWN_MODEL_DIR = BASE_DIR / "models" / "omil-person"
RUN_DIR = DATA_DIR / "run"  # Heartbeats, sockets and generated configuration.
SECRETS_DIR = DATA_DIR / "secrets"
PROFILES_DIR = DATA_DIR / "profiles"  # Pictures of faces.
VIDEOS_DIR = DATA_DIR / "videos-store"  # Videos and what was found in them.
# Where the two above lie instead; None: here.
STORE = store.parsed(env.text("OMIL_STORE"), env.text("OMIL_STORE_KEY"), env.text("OMIL_STORE_SECRET"))
VIDEOS_WORK_DIR = DATA_DIR / "videos-work"  # Uploads that are not complete, analyses that are not done; local.
MEDIA_ROOT = DATA_DIR / "media"  # Never served as a static folder: every file goes through a view.
FILE_UPLOAD_PERMISSIONS, FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o600, 0o700
# Clips and weights of tests and `make bench`; the product itself reads nothing there.
TEST_DATA_DIR = Path(env.text("OMIL_TEST_DATA") or BASE_DIR.parent / "shared" / "data").expanduser().absolute()

# --- Addresses -----------------------------------------------------------------------------------------------------

PORT = env.integer("PORT", 8000, least=1, most=65_535)
# Names and addresses the site is reached by on the network; set, it is served over HTTPS, unset, on loopback only.
OMIL_HOSTS = env.words("OMIL_HOSTS")
for _host in OMIL_HOSTS:
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*", _host):
        raise ImproperlyConfigured(f"OMIL_HOSTS: {_host!r} is not a host name or address (no scheme, no port).")
# A certificate and key of your own (PEM); unset, a local authority makes them.
TLS_CERTIFICATE = env.file("OMIL_TLS_CERTIFICATE")
TLS_KEY = env.file("OMIL_TLS_KEY")
if (TLS_CERTIFICATE is None) != (TLS_KEY is None):
    raise ImproperlyConfigured("OMIL_TLS_CERTIFICATE and OMIL_TLS_KEY go together: set both or neither.")
if TLS_CERTIFICATE and not OMIL_HOSTS:
    raise ImproperlyConfigured("OMIL_TLS_CERTIFICATE needs OMIL_HOSTS: say under which names the site is reached.")
TLS_DIR = SECRETS_DIR / "tls"  # The local authority and its certificate.
HTTPS = bool(OMIL_HOSTS)
# The plain-HTTP page that hands out the authority's certificate and nothing else.
TRUST_PORT = env.integer("OMIL_TRUST_PORT", PORT + 1 if PORT < 65_535 else PORT - 1, least=1, most=65_535)
SCHEME = "https" if HTTPS else "http"
_netlocs = [f"[{host}]" if ":" in host else host for host in OMIL_HOSTS or ["localhost"]]
SITE_URLS = [f"{SCHEME}://{netloc}:{PORT}" for netloc in _netlocs]
SITE_URL = SITE_URLS[0]
# `manage.py start` leaves its address here, for commands that are run beside it without its environment.
SITE_URL_FILE = RUN_DIR / "address"
if not (os.environ.get("PORT") or OMIL_HOSTS) and SITE_URL_FILE.is_file():
    SITE_URL = SITE_URL_FILE.read_text(encoding="utf-8")
TRUST_URL = f"http://{_netlocs[0]}:{TRUST_PORT}/"

ALLOWED_HOSTS = [*(f"[{host}]" if ":" in host else host for host in OMIL_HOSTS), "localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS = [f"{SCHEME}://{host}:{PORT}" for host in ALLOWED_HOSTS]
USE_X_FORWARDED_HOST = False
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
# Browsers tell ports apart for everything but cookies: two installations on one machine need two names.
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"omil_session_{PORT}", f"omil_csrf_{PORT}"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = env.integer("OMIL_SESSION_AGE_S", 14 * 86_400, least=60, most=365 * 86_400)
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
# No HSTS by default: the trust page of the same host must stay reachable over plain HTTP.
SECURE_HSTS_SECONDS = 0
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]

SECRET_KEY = env.text("OMIL_SECRET_KEY") or secrets.kept(SECRETS_DIR / "django-key")
DEBUG = False

# --- Django --------------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "omil.apps.OmilAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "axes",
    "csp",
    "channels",
    "django_rq",
    "django_htmx",
    "omil.apps.OmilConfig",
    "accounts",
    "cameras",
    "detections",
    "recordings",
    "profiles",
    "videos",
    "ninja",
    "api",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "api.problems.ProblemMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "omil.refusals.without_zeros",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.TimezoneMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    "recordings.stores.StoreMiddleware",
]

ROOT_URLCONF = "omil.urls"
ASGI_APPLICATION = "omil.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "omil.context.site",
            ],
        },
    },
]

_stores = [STORE.origin] if STORE else []  # Films are watched at signed addresses there.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:", "blob:", *_stores],
        "media-src": [SELF, "blob:", *_stores],
        "worker-src": [SELF, "blob:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- Database ------------------------------------------------------------------------------------------------------

_database_url = env.text("DATABASE_URL")
if _database_url and urlsplit(_database_url).scheme not in {"postgres", "postgresql", "sqlite"}:
    raise ImproperlyConfigured("DATABASE_URL must begin with postgres:// or sqlite://.")
try:
    DATABASES = {
        "default": dj_database_url.parse(_database_url or f"sqlite:///{DATA_DIR / 'omil.sqlite3'}", conn_max_age=0)
    }
except ValueError as error:
    raise ImproperlyConfigured(f"DATABASE_URL cannot be read: {error}") from None
if not DATABASES["default"]["NAME"]:
    raise ImproperlyConfigured("DATABASE_URL names no database: postgres://user:password@host:5432/name is expected.")
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Without these four concurrent writers lose one write in thirteen to "database is locked".
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # The system caches the file already; each process's own cache would grow with it up to 2 MB.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-256;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Accounts ------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "accounts.backends.AccountBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "accounts:log-in"
LOGIN_REDIRECT_URL = "detections:dashboard"
LOGOUT_REDIRECT_URL = "accounts:log-in"
ADMIN_PASSWORD = env.text("OMIL_ADMIN_PASSWORD")
# Five wrong passwords for a name from one address close that pair for a quarter of an hour.
AXES_FAILURE_LIMIT = env.integer("OMIL_LOGIN_TRIES", 5, least=1, most=1_000)
AXES_COOLOFF_TIME = env.seconds("OMIL_LOGIN_PAUSE_S", 900) / 3_600
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_TEMPLATE = "accounts/locked_out.html"
AXES_RESET_ON_SUCCESS = True
AXES_HTTP_RESPONSE_CODE = 429
AXES_VERBOSE = False
AXES_ENABLE_ADMIN = False  # Its pages know no Korean; `manage.py axes_reset_username NAME` opens a closed log-in.
MAX_SIGN_UPS = env.integer("OMIL_MAX_SIGN_UPS", 200, least=0, most=100_000)  # Accounts that wait for approval at once.
ENROLMENT_S = env.seconds("OMIL_ENROLMENT_S", 86_400, least=60, most=30 * 86_400)  # How long an enrolment link is good.
DEVICE_COOKIE_S = 365 * 86_400  # Since the guard post last opened its page.
# How often an open socket proves that its user, device and rights still hold.
SOCKET_RECHECK_S = env.seconds("OMIL_SOCKET_RECHECK_S", 5, least=0.1, most=60)

# --- Language and time ---------------------------------------------------------------------------------------------

LANGUAGES = [("en", _("English")), ("ko", _("Korean"))]
LANGUAGE_CODE = env.choice("OMIL_LANGUAGE", "en", {"en", "ko"})
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"  # What is stored and logged; pages show the viewer's zone.
PICTURE_ZONE = env.zone("OMIL_TIME_ZONE")  # Of the times drawn into streams and snapshots, which viewers share.
USE_I18N = True
FORMAT_MODULE_PATH = ["omil.formats"]

# --- Static files --------------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "omil.staticfiles.HashedModulesStorage"},
    **store.backends(STORE, videos=VIDEOS_DIR, profiles=PROFILES_DIR),
}

# --- Valkey or Redis, RQ, Channels -----------------------------------------------------------------------------------

# Unset, `make run` starts an embedded Valkey on a socket below DATA_DIR.
VALKEY_SOCKET = valkey.socket_path(RUN_DIR)
VALKEY_BYTES = env.integer("OMIL_VALKEY_BYTES", 256_000_000, least=16_000_000, most=2**40)  # The embedded server.
IS_VALKEY_EMBEDDED = not env.text("REDIS_URL")
REDIS_URL = env.text("REDIS_URL") or f"unix://{quote(str(VALKEY_SOCKET))}"
if urlsplit(REDIS_URL).scheme not in {"redis", "rediss", "unix"}:
    raise ImproperlyConfigured("REDIS_URL must begin with redis://, rediss:// or unix://.")
NODE = env.text("OMIL_NODE", "main")  # Names this machine's queues: a spool belongs to the node that receives.
_queue = {"URL": REDIS_URL, "DEFAULT_TIMEOUT": 120, "SERIALIZER": "rq.serializers.JSONSerializer"}
DRAIN_QUEUE, CATCH_UP_QUEUE = f"drain-{NODE}", f"catch-up-{NODE}"
MEDIA_QUEUE, VIDEO_QUEUE = f"media-{NODE}", f"videos-{NODE}"  # The media workers' two: clips, then videos.
RQ_QUEUES = {DRAIN_QUEUE: _queue, CATCH_UP_QUEUE: _queue, MEDIA_QUEUE: _queue, VIDEO_QUEUE: _queue}
RQ_SHOW_ADMIN_LINK = False
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        # channels_redis closes an idle socket after redis-py's default of five seconds.
        "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": None}]},
    }
}

# --- Frames --------------------------------------------------------------------------------------------------------

TARGET_FPS = env.number("OMIL_TARGET_FPS", 5, least=0.2, most=30)
MAX_FRAME_BYTES = env.integer("OMIL_MAX_FRAME_BYTES", 1_000_000, least=10_000, most=1_048_560)
MAX_FRAME_PIXELS = env.integer("OMIL_MAX_FRAME_PIXELS", 4_096 * 2_304, least=100_000, most=100_000_000)
CREDIT = env.integer("OMIL_CREDIT", 2, least=1, most=8)  # Unacknowledged frames a source may have under way.
CAPTURED_MAX_AGE_S = env.seconds("OMIL_CAPTURED_MAX_AGE_S", 60)
CAPTURED_MAX_AHEAD_S = env.seconds("OMIL_CAPTURED_MAX_AHEAD_S", 2)
MAX_BAD_FRAMES = env.integer("OMIL_MAX_BAD_FRAMES", 50, least=1, most=10_000)  # More than good ones: closed.

# --- Cameras that are pulled from an address -------------------------------------------------------------------------

# Networks, addresses and hosts that may be pulled from although nobody may: loopback, link-local, metadata, multicast.
PULL_ALLOW = env.hosts("OMIL_PULL_ALLOW")
PULL_CA = env.file("OMIL_PULL_CA")  # Certificates (PEM) that cameras are trusted by, beside the system's.
FILES_DIR = Path(env.text("OMIL_FILES_DIR", str(DATA_DIR / "files"))).expanduser().absolute()  # For file: sources.
# Encrypts cameras' addresses, which hold passwords, in the database.
SOURCE_KEY = env.text("OMIL_SOURCE_KEY") or secrets.kept(SECRETS_DIR / "source-key")

# --- Ring and spool ------------------------------------------------------------------------------------------------

RING_S = env.seconds("OMIL_RING_S", 30, least=5)
RING_BYTES = env.integer("OMIL_RING_BYTES", 256_000_000, least=10_000_000, most=2**40)  # Per camera.
MAX_LAG_S = env.seconds("OMIL_MAX_LAG_S", 2, least=0.2)
SPOOL_S = env.seconds("OMIL_SPOOL_S", 60, least=5)  # Waiting pictures while analysis is down or catching up.
SPOOL_BYTES = env.integer("OMIL_SPOOL_BYTES", 512_000_000, least=10_000_000, most=2**40)  # Per camera.
FREE_SPACE_BYTES = env.integer("OMIL_FREE_SPACE_BYTES", 500_000_000, least=0, most=2**50)  # Less: frames are refused.
LOG_KEPT_S = env.seconds("OMIL_LOG_KEPT_S", 600, least=120)  # Judged and settled entries, for repeats and coverage.

# --- Gate ----------------------------------------------------------------------------------------------------------

GATE_SAMPLE = env.integer("OMIL_GATE_SAMPLE", 100, least=0, most=100_000)  # One refusal in so many is admitted.
GATE_IMAGE_SIZE = env.integer("OMIL_GATE_IMAGE_SIZE", 320, least=96, most=320)
GATE_CONFIDENCE = env.number("OMIL_GATE_CONFIDENCE", 0.2, least=0.01, most=0.99)
GATE_ANSWER_S = env.seconds("OMIL_GATE_ANSWER_S", 1, least=0.1)  # Analysis silent for longer: everything is admitted.
GATE_IGNORED = env.regions("OMIL_GATE_IGNORED")  # Parts of every picture whose motion is none: a clock burnt into it.
GATE_THREADS = env.integer("OMIL_GATE_THREADS", min(4, os.cpu_count() or 1), least=1, most=64)

# --- Analysis ------------------------------------------------------------------------------------------------------

# A path, an Ultralytics name looked up in MODELS_DIR, or omil-person.
OMIL_MODEL = env.text("OMIL_MODEL", "yolo26n.pt")
DEVICE = env.choice("OMIL_DEVICE", "auto", {"auto", "cpu", "cuda"})
IMAGE_SIZE = env.optional_integer("OMIL_IMAGE_SIZE", least=160, most=1_920)  # None: what the model is made for.
CONFIDENCE = env.number("OMIL_CONFIDENCE", 0.25, least=0.01, most=0.99)  # A camera may set its own.
ANALYSIS_WORKERS = env.integer("OMIL_ANALYSIS_WORKERS", max(1, (os.cpu_count() or 1) // 4), least=1, most=64)
# Threads of one worker's inference; together the workers use the machine once.
INFERENCE_THREADS = env.integer(
    "OMIL_INFERENCE_THREADS", max(1, (os.cpu_count() or 1) // ANALYSIS_WORKERS), least=1, most=256
)
# Where a named model is fetched from, once: by the first start, prepare_models or an admin.
WEIGHTS_URL = env.text("OMIL_WEIGHTS_URL", "https://github.com/ultralytics/assets/releases/download/v8.4.0").rstrip("/")
if urlsplit(WEIGHTS_URL).scheme not in {"http", "https"}:
    raise ImproperlyConfigured(f"OMIL_WEIGHTS_URL must begin with https:// or http://, not {WEIGHTS_URL!r}.")
OMIL_POSE_MODEL = env.text("OMIL_POSE_MODEL", "yolo11n-pose.pt")  # As OMIL_MODEL; "none" does without poses.
POSE_IMAGE_SIZE = env.integer("OMIL_POSE_IMAGE_SIZE", 640, least=160, most=1_920)
SLICE_S = env.seconds("OMIL_SLICE_S", 0.25, least=0.02, most=10)  # One camera's turn while others wait.
JOB_TIMEOUT_S = 3_600  # RQ kills nothing inside a process that serves a warm model; turns end by themselves.
LINGER_S = env.seconds("OMIL_LINGER_S", 1, least=0, most=10)  # An idle turn waits so long for the next frame.
HEARTBEAT_S = 0.25  # Of each analysis worker; analysis is down after four beats without one.

# --- Visits (the constants of the systems Omil replaces) -----------------------------------------------------------

VISIT_CONFIRM_S = env.seconds("OMIL_VISIT_CONFIRM_S", 1)
VISIT_GAP_S = env.seconds("OMIL_VISIT_GAP_S", 10)
SIGHT_LOST_S = env.seconds("OMIL_SIGHT_LOST_S", 1)
SETTLE_RESULTS = env.integer("OMIL_SETTLE_RESULTS", 5, least=1, most=1_000)
SETTLE_EVERY_S = env.seconds("OMIL_SETTLE_EVERY_S", 1)
SILENT_S = env.seconds("OMIL_SILENT_S", 3, least=0.5)  # Without a frame a camera is silent.
FROZEN_S = env.seconds("OMIL_FROZEN_S", 10, least=1)  # The same bytes for so long: a frozen picture.
OBSCURED_S = env.seconds("OMIL_OBSCURED_S", 5, least=1)  # Black or covered for so long: an obscured picture.
KEEP_DAYS = env.integer("OMIL_KEEP_DAYS", 30, least=1, most=3_650)
KEEP_BYTES = env.integer("OMIL_KEEP_BYTES", 50_000_000_000, least=10_000_000, most=2**50)  # Crops and track log.

# --- Recordings (a camera's rules may say otherwise) -----------------------------------------------------------------

RECORDINGS_DIR = Path(env.text("OMIL_RECORDINGS_DIR", str(DATA_DIR / "recordings"))).expanduser().absolute()
EXPORTS_DIR = DATA_DIR / "exports"
RECORD_START_AFTER_S = env.seconds("OMIL_RECORD_START_AFTER_S", 5, most=600)  # Of continuous presence.
RECORD_STOP_AFTER_S = env.seconds("OMIL_RECORD_STOP_AFTER_S", 5, least=0.5, most=600)  # Of absence.
RECORD_BEFORE_S = env.seconds("OMIL_RECORD_BEFORE_S", 5, most=20)  # Kept from before the presence, and after it.
RECORD_AFTER_S = env.seconds("OMIL_RECORD_AFTER_S", 5, most=60)
CLIP_S = env.seconds("OMIL_CLIP_S", 600, least=30, most=3_600)  # The longest clip; the next one goes on from there.
CLIP_QUALITY = env.integer("OMIL_CLIP_QUALITY", 23, least=10, most=40)  # x264's constant rate factor: less is better.
CLIP_PRESET = env.choice("OMIL_CLIP_PRESET", "veryfast", {"ultrafast", "superfast", "veryfast", "faster", "fast"})
MEDIA_WORKERS = env.integer("OMIL_MEDIA_WORKERS", 1, least=1, most=16)
RECORDINGS_DAYS = env.integer("OMIL_RECORDINGS_DAYS", 30, least=1, most=3_650)
RECORDINGS_BYTES = env.integer("OMIL_RECORDINGS_BYTES", 200_000_000_000, least=10_000_000, most=2**50)
# With less free where clips lie, the oldest go; it lies above FREE_SPACE_BYTES, so that clips go before frames do.
RECORDINGS_FREE_BYTES = env.integer("OMIL_RECORDINGS_FREE_BYTES", 1_000_000_000, least=0, most=2**50)
# Of clips that wait in the spool while their storage is away or full; above it the oldest are lost.
RECORD_WAITING_BYTES = env.integer("OMIL_RECORD_WAITING_BYTES", 2_000_000_000, least=10_000_000, most=2**50)

# --- Faces -----------------------------------------------------------------------------------------------------------

# Paths, or names looked up in MODELS_DIR; a name of OpenCV's is fetched by prepare_models and checked by its hash.
OMIL_FACE_DETECTOR = env.text("OMIL_FACE_DETECTOR", "face_detection_yunet_2023mar.onnx")
OMIL_FACE_EMBEDDER = env.text("OMIL_FACE_EMBEDDER", "face_recognition_sface_2021dec.onnx")
FACE_MODELS_URL = env.text(
    "OMIL_FACE_MODELS_URL",
    "https://media.githubusercontent.com/media/opencv/opencv_zoo/47534e27c9851bb1128ccc0102f1145e27f23f98",
).rstrip("/")
if urlsplit(FACE_MODELS_URL).scheme not in {"http", "https"}:
    raise ImproperlyConfigured(f"OMIL_FACE_MODELS_URL must begin with https:// or http://, not {FACE_MODELS_URL!r}.")
FACES_DAYS = env.integer("OMIL_FACES_DAYS", 365, least=1, most=3_650)  # Faces that were last seen so long ago go.
# More models for prepare_models to bring: called with a way to report and whether it may fetch.
MODEL_WORK = ["profiles.weights.prepare"]

# --- Videos ----------------------------------------------------------------------------------------------------------

VIDEO_MAX_BYTES = env.integer("OMIL_VIDEO_MAX_BYTES", 4_000_000_000, least=1_000_000, most=2**50)
VIDEO_MAX_S = env.seconds("OMIL_VIDEO_MAX_S", 4 * 3_600, least=10, most=7 * 86_400)
VIDEO_MAX_FPS = env.number("OMIL_VIDEO_MAX_FPS", 240, least=1, most=1_000)
VIDEO_PER_S = env.number("OMIL_VIDEO_PER_S", 5, least=1, most=30)  # Samples analysed per second, unless asked else.
VIDEO_UPLOADS = env.integer("OMIL_VIDEO_UPLOADS", 10, least=1, most=1_000)  # Unfinished ones of one user.
VIDEO_UPLOAD_KEPT_S = env.seconds("OMIL_VIDEO_UPLOAD_KEPT_S", 86_400, least=60, most=30 * 86_400)  # An unfinished one.

# --- API -------------------------------------------------------------------------------------------------------------

API_PER_MINUTE = env.integer("OMIL_API_PER_MINUTE", 1_200, least=1, most=1_000_000)  # Requests of one token or user.

# --- By the clock ----------------------------------------------------------------------------------------------------

# Called every second with the time (Unix seconds) by the clock process, which lies below these applications.
CLOCK_WORK = ["videos.clock.tick", "profiles.clock.tick"]

# --- Logging -------------------------------------------------------------------------------------------------------

LOG_LEVEL = env.choice("OMIL_LOG_LEVEL", "INFO", {"DEBUG", "INFO", "WARNING", "ERROR"})
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "omil.logs.RedactingFormatter", "format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}
    },
    "filters": {"short": {"()": "omil.logs.WithoutTraceback"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "daphne": {"level": "WARNING"},
        "django.security.DisallowedHost": {"filters": ["short"]},
        "django.channels.server": {"level": "WARNING"},
        # It writes out each address that it asks, and webhooks have secrets in theirs.
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        # They write out what they sign, and signed addresses.
        "boto3": {"level": "WARNING"},
        "botocore": {"level": "WARNING"},
        "s3transfer": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
    },
}
# prometheus_client's shared counters, emptied at each start.
METRICS_DIR = Path(os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(RUN_DIR / "metrics")))
METRICS_DIR.mkdir(parents=True, exist_ok=True)
METRICS_TOKEN = env.text("OMIL_METRICS_TOKEN")  # Lets a scraper read /metrics; otherwise superusers only.
