"""The web process's entry, served by Granian."""

import gc
import os

import django
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

django.setup(set_prefix=False)

from portal.lanes import Application  # noqa: E402  # what it imports wants Django set up

application = Application()

# Every view is imported before the first request waits for it. What is in memory then stays, so
# the garbage collector need not walk it again whenever a call's rows make it look.
assert get_resolver().url_patterns
gc.collect()
gc.freeze()
