"""The web process's entry, served by Granian."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from portal.lanes import check_connections_when_used

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

application = get_wsgi_application()
check_connections_when_used()

# Every view is imported before the first request waits for it. What is in memory then stays, so
# the garbage collector need not walk it again whenever a call's rows make it look.
assert get_resolver().url_patterns
gc.collect()
gc.freeze()
