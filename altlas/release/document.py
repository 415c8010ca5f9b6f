"""A change as JSON for programs."""

from dataclasses import asdict
from typing import Any

from altlas.release.settings_diff import as_document as setting_document
from altlas.release.stack_change import StackChange
from altlas.release.steps import as_documents
from components.kubernetes.load import Load, LoadAtScales


def as_document(change: StackChange) -> dict[str, Any]:
    """The change as plain data: names, settings, steps and consequences."""
    before, after = change.loads
    return {
        "from": change.before,
        "to": change.after,
        "identity": [setting_document(each) for each in change.identity],
        "settings": [setting_document(each) for each in change.settings],
        "steps": as_documents(change.steps),
        "load": {"from": _loads(before), "to": _loads(after)},
        "firstSteps": list(change.first),
        "restarts": [
            {"workload": each.title, "pods": each.servers, "seconds": each.figure.seconds, "source": each.figure.source}
            for each in change.outages
        ],
        "data": [{"object": each.object.title, "step": each.step, "undo": each.undo} for each in change.data],
        "notes": list(change.notes),
    }


def _loads(load: LoadAtScales) -> dict[str, Any]:
    return {"rest": _load(load.rest), "update": _load(load.update), "peak": _load(load.peak), "jobs": _load(load.jobs)}


def _load(load: Load) -> dict[str, Any]:
    """CPU in millicores, memory and storage in Mi."""
    return asdict(load)
