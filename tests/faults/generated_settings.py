"""Generated settings: full documents with other values in some places, which the JSON Schema takes or not.

Owns the places, the values and the judgement of a document by the reader of settings. Does not own what is rendered of
an accepted one (`tests.faults.rendered_settings`).
"""

import copy
import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from components.stack.loading import parse_platform
from components.stack.problems import PLATFORM_KEY, SettingsError
from components.stack.schema import stack_file_schema
from tests.policy.test_schemas import VARIATIONS, variation

MOST_CHANGES = 3
_LISTED = 3
_LARGE = 10**18
_ODD: tuple[Any, ...] = (None, True, -1, 0, 1.5, _LARGE, "", "x", "ü\u202e\x00", "a" * 300, [], {}, [[]], {"": None})
"""Values that are wrong at most places."""

Place = tuple[str | int, ...]
Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Generated:
    """A generated document.

    Attributes:
        stack: Stack whose file it could be.
        document: What stands below `alt-las:platform`.
        places: Where it differs from the document that it was made from.
    """

    stack: str
    document: dict[str, Any]
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Judgement:
    """Answer of the reader of settings.

    Attributes:
        accepted: True if the document is usable.
        fault: What is wrong with the answer; empty where nothing is.
    """

    accepted: bool
    fault: str = ""


def generated(chance: random.Random) -> Generated:
    """Return a document with some changes."""
    name = chance.choice(sorted(VARIATIONS))
    document = copy.deepcopy(_base(name))
    places = []
    for _ in range(chance.randrange(1, MOST_CHANGES + 1)):
        place, schema = _place(document, chance)
        places.append(_write(document, place, schema, chance))
    return Generated(VARIATIONS[name][0], document, tuple(places))


def judged(case: Generated) -> Judgement:
    """Read a document: it is settings, or an error that names the key of a change, one above it or one below."""
    try:
        parse_platform(case.document)
    except SettingsError as error:
        named = [_as_place(problem.path) for problem in error.problems]
        if not any(_is_related(one, place) for one in named for place in case.places):
            return Judgement(accepted=False, fault=f"{case.places} changed, named: {error}")
        return Judgement(accepted=False)
    except Exception as error:  # any other one is what is looked for
        return Judgement(accepted=False, fault=f"{case.places}: {error!r}")
    return Judgement(accepted=True)


@cache
def _base(name: str) -> dict[str, Any]:
    return variation(name)


@cache
def _schema() -> Schema:
    return stack_file_schema()


@cache
def _texts() -> tuple[str, ...]:
    """Texts that the documents hold, for places that take such ones."""
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, str):
            found.add(value)
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            walk(each)

    for name in VARIATIONS:
        walk(_base(name))
    return tuple(sorted(found))


def _resolved(schema: Schema, chance: random.Random) -> Schema:
    """The schema itself, without references, and one of its choices."""
    while "$ref" in schema or "anyOf" in schema:
        if "anyOf" in schema:
            schema = chance.choice(schema["anyOf"])
        else:
            schema = _schema()["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


def _place(document: dict[str, Any], chance: random.Random) -> tuple[Place, Schema]:
    """A place in a document, deep ones included, and its schema."""
    here: Any = document
    place: Place = ()
    schema: Schema = _schema()["properties"]["config"]["properties"][PLATFORM_KEY]
    while True:
        schema = _resolved(schema, chance)
        if isinstance(here, list) and here and "items" in schema:
            step: str | int = chance.randrange(len(here))
            inner = schema["items"]
        elif schema.get("properties") and isinstance(here, dict):
            step = chance.choice(sorted(schema["properties"]))
            inner = schema["properties"][step]
        else:
            return place, schema
        place = (*place, step)
        here = here[step] if step in here or isinstance(step, int) else None
        if here is None or chance.random() < 1 / 6:
            return place, inner
        schema = inner


def _write(document: dict[str, Any], place: Place, schema: Schema, chance: random.Random) -> Place:
    """Change a document at a place; return where."""
    above: Any = document
    for step in place[:-1]:
        above = above[step]
    kind = chance.random()
    if kind < 1 / 20 and isinstance(above, dict):
        key = chance.choice(["unknown", "Replicas", "ключ", "a b", ""])
        above[key] = {"deep": 1}
        return (*place[:-1], key)
    if kind < 1 / 10 and isinstance(above, dict):
        above.pop(place[-1], None)
    else:
        above[place[-1]] = copy.deepcopy(chance.choice(_ODD)) if kind < 1 / 4 else _value(schema, chance)
    return place


def _value(schema: Schema, chance: random.Random) -> Any:
    """A value that the schema takes."""
    schema = _resolved(schema, chance)
    if "enum" in schema or "const" in schema:
        return chance.choice(schema.get("enum") or [schema["const"]])
    maker = _MAKERS.get(str(schema.get("type")))
    return maker(schema, chance) if maker else None


def _whole(schema: Schema, chance: random.Random) -> int:
    low, high = schema.get("minimum", 0), schema.get("maximum", 2**31 - 1)
    usual = schema.get("default")
    near = [usual - 1, usual, usual + 1] if isinstance(usual, int) else []
    return int(chance.choice([low, high, chance.randint(int(low), int(high)), *near]))


def _text(schema: Schema, chance: random.Random) -> str:
    pattern = re.compile(schema.get("pattern", ""))
    fitting = [each for each in _texts() if pattern.search(each)]
    return chance.choice(fitting or ["text"])


def _list(schema: Schema, chance: random.Random) -> list[Any]:
    return [
        _value(schema.get("items", {}), chance) for _ in range(chance.randrange(schema.get("minItems", 0), _LISTED))
    ]


def _block(schema: Schema, chance: random.Random) -> dict[str, Any]:
    if "properties" not in schema:
        inner = schema.get("additionalProperties")
        texts = chance.sample(_texts(), chance.randrange(_LISTED))
        return {name: _value(inner if isinstance(inner, dict) else {"type": "string"}, chance) for name in texts}
    required = schema.get("required", ())
    chosen = [name for name in schema["properties"] if name in required or chance.random() < 1 / 3]
    return {name: _value(schema["properties"][name], chance) for name in chosen}


_MAKERS: Mapping[str, Callable[[Schema, random.Random], Any]] = {
    "boolean": lambda _, chance: chance.random() < 1 / 2,
    "integer": _whole,
    "number": lambda schema, chance: float(_whole(schema, chance)),
    "string": _text,
    "array": _list,
    "object": _block,
}


def _as_place(path: str) -> Place:
    """Path of a problem as keys and indices."""
    text = path.removeprefix(PLATFORM_KEY).removeprefix(".")
    return tuple(_steps(text))


def _steps(text: str) -> Iterator[str | int]:
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", text):
        yield name if name else int(index)


def _is_related(one: Place, other: Place) -> bool:
    """True if one is the other, above it or below it."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def as_line(case: Generated) -> str:
    """A document as one line of JSON, with its stack."""
    return json.dumps([case.stack, case.document])
