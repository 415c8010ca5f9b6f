"""CRDs of a cluster are read in pages: all of them at once are too much for a slow line."""

import json
from pathlib import Path

from altlas.addons.definitions import AddonCluster
from altlas.session.kubectl import Kubectl

NAMES = [f"kind{number}.example.org" for number in range(45)]


class Paged(Kubectl):
    """An API server that has more CRDs than it is asked for at a time."""

    asked: list[str] = []  # of the class that the test makes

    def text(self, *arguments: str, stdin: str | None = None) -> str:  # noqa: ARG002  # as in the class
        """One page."""
        query = arguments[-1].partition("?")[2]
        self.asked.append(query)
        values = dict(each.split("=") for each in query.split("&"))
        first, size = int(values.get("continue", "0%3D").removesuffix("%3D")), int(values["limit"])
        metadata = {"continue": f"{first + size}="} if first + size < len(NAMES) else {}
        items = [{"metadata": {"name": name}} for name in NAMES[first : first + size]]
        return json.dumps({"items": items, "metadata": metadata})


def test_all_crds_are_read_page_by_page() -> None:
    """In the order of the API server, each once, with its word for where to go on."""
    kubectl = type("Made", (Paged,), {"asked": []})(Path("kubectl"), Path("kubeconfig"))
    assert [each.name for each in AddonCluster(kubectl).crds()] == NAMES
    assert kubectl.asked == ["limit=20", "limit=20&continue=20%3D", "limit=20&continue=40%3D"]
