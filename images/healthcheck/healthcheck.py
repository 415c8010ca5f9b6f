"""Health check of an image: ends with 0 if HEALTH_URL answers 200 within four seconds."""

import os
import sys
import urllib.request

_TIMEOUT_SECONDS = 4
_OK = 200

try:
    with urllib.request.urlopen(os.environ["HEALTH_URL"], timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310  # fixed
        sys.exit(0 if answer.status == _OK else 1)
except OSError as error:
    sys.exit(f"{os.environ['HEALTH_URL']}: {error}")
