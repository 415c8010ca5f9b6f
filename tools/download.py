"""Official releases: fetched, resumed where a try broke off, and used only when the checksum is the known one."""

import hashlib
import http.client
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from tools.errors import WayFailedError
from tools.manifest import Release

MIRROR_VARIABLE = "ALT_LAS_RELEASE_MIRROR"
_TIMEOUT_SECONDS = 15
_TRIES = 3
_BLOCK_BYTES = 1 << 20
_PARTIAL_CONTENT = 206
_RANGE_NOT_SATISFIABLE = 416


class Downloader:
    """Owns the folder of partial downloads and remembers, for one run, which hosts do not answer.

    Safe to use from several threads, as long as no two fetch the same release.
    """

    def __init__(self, folder: Path, mirror: str | None) -> None:
        """Keep partial files in `folder`; take `https://HOST/PATH` from `MIRROR/HOST/PATH` when a mirror is given."""
        self._folder = folder
        self._mirror = mirror
        self._silent_hosts: dict[str, str] = {}
        self._lock = threading.Lock()

    def fetch(self, release: Release, started: Callable[[], object] = lambda: None) -> Path:
        """Download a release and return the file, whose checksum is then proven; the caller removes it.

        A partial file of an earlier try is continued.

        Args:
            release: what is downloaded.
            started: called once, when the server has begun to send.

        Raises:
            WayFailedError: no checksum is known, the server refuses or stays silent, or the checksum differs; in the
                last case the file is removed.
        """
        if release.sha256 is None:
            raise WayFailedError(f"{release.url} is not downloaded, because its checksum is not known here")
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / f"{release.sha256}.partial"
        url = self.address(release.url)
        problem = "no try was made"
        once = iter((started,))
        for _ in range(_TRIES):
            try:
                self._continue(url, partial, once)
            except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
                problem = f"{url} broke off: {error!r}"
                continue
            return self._proven(partial, release.sha256, url)
        raise WayFailedError(problem)

    def address(self, url: str) -> str:
        """Return where a release is really taken from."""
        if self._mirror is None:
            return url
        parts = urlsplit(url)
        return f"{self._mirror.rstrip('/')}/{parts.netloc}{parts.path}"

    def _continue(self, url: str, partial: Path, started: Iterator[Callable[[], object]]) -> None:
        host = urlsplit(url).netloc
        with self._lock:
            if host in self._silent_hosts:
                raise WayFailedError(f"{url}: {self._silent_hosts[host]}")
        have = partial.stat().st_size if partial.exists() else 0
        request = urllib.request.Request(url, headers={"User-Agent": "alt-las-tools"})  # noqa: S310 - see the opener
        if have:
            request.add_header("Range", f"bytes={have}-")
        try:
            # The addresses come from the manifest or the user's own mirror setting, never from outside input.
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
                for start in started:
                    start()
                _store(response, partial, append=response.status == _PARTIAL_CONTENT)
        except urllib.error.HTTPError as error:
            if error.code == _RANGE_NOT_SATISFIABLE and have:
                return
            raise WayFailedError(f"{url}: HTTP {error.code} {error.reason}") from error
        except urllib.error.URLError as error:
            with self._lock:
                self._silent_hosts[host] = f"{host} cannot be reached: {error.reason}"
            raise WayFailedError(f"{url}: {self._silent_hosts[host]}") from error

    @staticmethod
    def _proven(partial: Path, expected: str, url: str) -> Path:
        with partial.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        if actual != expected:
            partial.unlink()
            raise WayFailedError(f"{url} is refused: its sha256 is {actual}, but {expected} is pinned")
        return partial


def _store(response: http.client.HTTPResponse, partial: Path, *, append: bool) -> None:
    with partial.open("ab" if append else "wb") as file:
        while block := response.read(_BLOCK_BYTES):
            file.write(block)
    # read(size) ends silently when the server closes early; what is still owed tells.
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
