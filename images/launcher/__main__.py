"""Starts the ASGI application named by APPLICATION on PORT. A service with a __main__.py of its own replaces this."""

import os

import uvicorn

uvicorn.run(os.environ["APPLICATION"], host="0.0.0.0", port=int(os.environ["PORT"]))  # noqa: S104  # in a container
