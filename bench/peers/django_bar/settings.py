"""Django as its deployment checklist wants it: no debug, no unused middleware, kept connections."""

import os
from urllib.parse import urlsplit

url = urlsplit(os.environ["BENCH_DATABASE_URL"])
SECRET_KEY = "only for the bench"  # noqa: S105 - signs nothing here
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
TIME_ZONE = "UTC"
ROOT_URLCONF = "bench.peers.django_bar.urls"
INSTALLED_APPS = ["bench.peers.django_bar", "django_daraja"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path.lstrip("/"),
        "USER": url.username,
        "PASSWORD": url.password,
        "HOST": url.hostname,
        "PORT": url.port,
        "OPTIONS": {"pool": {"min_size": 16, "max_size": 16}},
    }
}
MPESA_ENVIRONMENT = "production"
MPESA_CONSUMER_KEY = "bench"
MPESA_CONSUMER_SECRET = "bench"  # noqa: S105
MPESA_SHORTCODE = "600000"
MPESA_EXPRESS_SHORTCODE = "600000"
MPESA_SHORTCODE_TYPE = "paybill"
MPESA_PASSKEY = "bench"
