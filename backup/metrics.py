"""What monitoring reads about the last dump and the last drill: a file in the Prometheus text format."""

import os
from collections.abc import Mapping
from pathlib import Path

FILE = "metrics.prom"


def write(folder: Path, store: str, action: str, figures: Mapping[str, float]) -> Path:
    """Write the figures of an action, replacing those of the one before.

    Args:
        folder: Folder of the store.
        store: Name of the store.
        action: What was done: dump or drill.
        figures: Value by name, which ends in its unit.
    """
    lines = []
    for name, value in sorted(figures.items()):
        metric = f"alt_las_backup_{action}_{name}"
        lines += [f"# TYPE {metric} gauge", f'{metric}{{store="{store}"}} {value:g}']
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{action}-{FILE}"
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8")
    unfinished.replace(path)
    return path
