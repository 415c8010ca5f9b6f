"""Writes `kinds.json` from the pinned sources."""

from policy.scan.kubeconform import minor_versions
from policy.scan.programs import PYTHON_PROJECT
from policy.schemas.document import FILE, as_text, document
from tools import python_packages

if __name__ == "__main__":
    packages = python_packages.ensure(PYTHON_PROJECT).packages
    FILE.write_text(as_text(document(minor_versions()[-1], packages)), encoding="utf-8")
