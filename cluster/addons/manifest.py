"""The pinned addons: a closed model of manifest.json."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tools import ToolsError

FOLDER = Path(__file__).parent
"""Folder of the Pulumi project, of manifest.json and of the Go module that pins the sources."""

_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Version = Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
_Definition = Annotated[str, Field(pattern=r"^[a-z]+(\.[a-z0-9-]+)+$")]
_Image = Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)+:[\w.-]+$")]
_Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AddonFile(_Closed):
    """One file of an addon's project, as the project has it at the pinned version.

    Attributes:
        path: Where it lies in the project's repository and in its Go module; the bytes are the same.
        url: Where the project serves it.
        sha256: Checksum of its content, whichever way it comes.
    """

    path: Annotated[str, Field(pattern=r"^[\w./-]+\.yaml$")]
    url: Annotated[str, Field(pattern=r"^https://[\w.-]+/\S+$")]
    sha256: _Sha256


class AddonNamespace(_Closed):
    """Place of an operator.

    Attributes:
        upstream: Namespace in the project's own files.
        name: Namespace here; it has the restricted Pod Security Standard.
    """

    upstream: _Name
    name: _Name


class HelmRelease(_Closed):
    """Release of a Helm chart that may take objects over, by the names in its project's documentation.

    Attributes:
        name: Name of the release.
        namespace: Namespace of the release.
    """

    name: _Name
    namespace: _Name


class Addon(_Closed):
    """One operator with its CustomResourceDefinitions, or the definitions only.

    Attributes:
        title: What people call it.
        version: Pinned version, without a leading `v`.
        purpose: What the platform needs it for.
        module: Go module that holds its files too; go/go.mod and go/go.sum pin it.
        version_annotation: Annotation of its definitions that tells their version; None if there is none.
        namespace: Where its operator runs; None if it brings definitions only, or runs beside an addon before it.
        optional: Whether it is installed only on request.
        requires: Definitions that others must have brought before its operator can run.
        images: Released images by what the project's own file, made for its development, names instead.
        helm: Release that may take its definitions over later; Helm refuses objects that do not name it.
        files: What is installed.
    """

    title: str
    version: _Version
    purpose: str
    module: str
    version_annotation: str | None = None
    namespace: AddonNamespace | None = None
    optional: bool = False
    requires: tuple[_Definition, ...] = ()
    images: dict[_Image, _Image] = {}
    helm: HelmRelease | None = None
    files: Annotated[tuple[AddonFile, ...], Field(min_length=1)]

    @property
    def has_operator(self) -> bool:
        """True if pods of it run: in its namespace, or beside the addon whose definitions it requires."""
        return bool(self.namespace or self.requires)


class AddonManifest(_Closed):
    """All pinned addons.

    Attributes:
        revision: Raised whenever other objects are made from the same files, so that clusters are updated.
        addons: The addons by name.
    """

    revision: Annotated[int, Field(ge=1)]
    addons: dict[_Name, Addon]

    def digest(self, name: str, *, webhooks: bool) -> str:
        """Checksum of everything that decides what of an addon is installed."""
        text = f"{self.revision} {webhooks} {self.addons[name].model_dump_json(exclude_defaults=True)}"
        return hashlib.sha256(text.encode()).hexdigest()


@cache
def load_manifest(path: Path = FOLDER / "manifest.json") -> AddonManifest:
    """Read the pinned addons.

    Raises:
        ToolsError: The file is missing or not as it must be; names each place.
    """
    try:
        return AddonManifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ToolsError(f"cannot read the list of addons {path}: {error.strerror}") from error
    except ValidationError as error:
        places = [f"  {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise ToolsError("\n".join([f"the list of addons {path} is not usable:", *places])) from None
