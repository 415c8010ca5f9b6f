"""Images into a registry, under the names by which a node's mirror configuration asks for them.

`docker.io/library/redis:8` lies in the registry at `docker.io/library/redis:8` below its address, so images of two
hosts cannot be mixed up. What the registry has already is not sent again.
"""

from __future__ import annotations

import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import tools
from cluster.errors import ClusterError
from cluster.node.images.assembling import Assembled, assemble, default_cache
from cluster.node.images.recipe import NodeImage, full_name

_ANSWER_SECONDS = 10
_PUSH_SECONDS = 300
_NOT_FOUND = 404
_AT_A_TIME = 4


@dataclass(frozen=True)
class Pushed:
    """An image in the registry.

    Attributes:
        reference: Name by which nodes ask for it.
        digest: Digest under which they may ask for it too.
        size: Bytes of its layers, compressed.
        sent: False if the registry had it already.
    """

    reference: str
    digest: str
    size: int
    sent: bool


def push(address: str, images: Iterable[NodeImage], cache: Path | None = None) -> Iterator[Pushed]:
    """Put images together and push them; yields each one as soon as the registry has it.

    Args:
        address: Host and port of a registry that speaks HTTP without TLS.
        images: Which ones.
        cache: Folder that keeps layers between runs; by default the user's.

    Raises:
        ClusterError: The registry does not answer, or refuses an image.
        ToolsError: A program or package cannot be had by any way; the text says what was tried.
    """
    with tempfile.TemporaryDirectory(prefix="alt-las-images-") as folder, ThreadPoolExecutor(_AT_A_TIME) as pool:
        made = assemble(images, Path(folder), cache or default_cache())
        named = [(full_name(reference), each) for each in made for reference in each.image.references]
        yield from pool.map(lambda pair: _pushed(address, *pair), named)


def chosen(images: Collection[NodeImage], names: Collection[str]) -> list[NodeImage]:
    """Images by their references; all of them where no name is given.

    Args:
        images: Those that exist.
        names: References, or the last part of their repository, such as `redis`.

    Raises:
        ClusterError: A name is that of no image.
    """
    known = {name: image for image in images for reference in image.references for name in _names(reference)}
    unknown = sorted(set(names) - known.keys())
    if unknown:
        raise ClusterError(
            f"No image is called {', '.join(unknown)}. Known are: {', '.join(sorted(map(short_name, images)))}."
        )
    return [image for image in images if not names or any(known[name] is image for name in names)]


def short_name(image: NodeImage) -> str:
    """Return the last part of an image's repository."""
    return _names(image.references[0])[1]


def _names(reference: str) -> tuple[str, str, str]:
    repository, _, _ = reference.rpartition(":")
    return reference, repository.rpartition("/")[2], full_name(reference)


def _pushed(address: str, reference: str, assembled: Assembled) -> Pushed:
    sent = _digest(address, reference) != assembled.digest
    if sent:
        _send(address, reference, assembled)
    return Pushed(reference, assembled.digest, assembled.size, sent)


def _digest(address: str, reference: str) -> str | None:
    """Digest of what the registry has under a name; None if it has nothing."""
    repository, _, tag = reference.rpartition(":")
    request = urllib.request.Request(
        f"http://{address}/v2/{repository}/manifests/{tag}",
        method="HEAD",
        headers={"Accept": "application/vnd.oci.image.manifest.v1+json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310
            found: str | None = answer.headers["Docker-Content-Digest"]
            return found
    except urllib.error.HTTPError as error:
        if error.code == _NOT_FOUND:
            return None
        raise ClusterError(f"The registry at {address} answers {error.code} when asked for {reference}.") from None
    except OSError as error:
        raise ClusterError(
            f"The registry at {address} does not answer ({error}). Start it, or give the address of one that runs."
        ) from None


def _send(address: str, reference: str, assembled: Assembled) -> None:
    crane = tools.ensure(["crane"]).path("crane")
    done = subprocess.run(
        [str(crane), "push", "--insecure", str(assembled.folder), f"{address}/{reference}"],
        capture_output=True,
        text=True,
        timeout=_PUSH_SECONDS,
        check=False,
    )
    if done.returncode:
        raise ClusterError(
            f"The registry at {address} refuses {reference}: {done.stderr.strip()[-500:]} "
            f"If a layer was changed in the cache, remove {default_cache()} and push again."
        )
