"""Validation of objects against `kinds.json`: unknown fields and wrong types, each with its place."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema import Draft7Validator, ValidationError

from policy.manifests import Manifest, kind_of, name_of
from policy.schemas.document import FILE, NO_SCHEMA


def problems(manifest: Manifest) -> list[str]:
    """Everything in an object that the API server would refuse or drop, as `Kind/name: path: message`."""
    kind = f"{manifest['apiVersion']}/{kind_of(manifest)}"
    if kind in NO_SCHEMA:
        return []
    object_name = f"{kind_of(manifest)}/{name_of(manifest)}"
    validator = _validator(kind)
    if validator is None:
        return [f"{object_name}: {kind} has no schema; add it to KINDS in policy/schemas/document.py, run make schemas"]
    causes = (cause for error in validator.iter_errors(manifest) for cause in _causes(error))
    return sorted(f"{object_name}: {_path(cause)}: {cause.message}" for cause in causes)


@cache
def _validator(kind: str) -> Draft7Validator | None:
    document = _document()
    schema = document["kinds"].get(kind)
    return None if schema is None else Draft7Validator({"definitions": document["definitions"], "allOf": [schema]})


@cache
def _document() -> dict[str, Any]:
    return dict(json.loads(FILE.read_text(encoding="utf-8")))


def _causes(error: ValidationError) -> Iterator[ValidationError]:
    """The errors that name a place, below those that only name a choice."""
    if error.context and error.validator == "allOf":
        for each in error.context:
            yield from _causes(each)
    else:
        yield error


def _path(error: ValidationError) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    return path.removeprefix(".") or "the object itself"
