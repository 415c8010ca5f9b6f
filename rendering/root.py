"""Root folder of the checkout."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout that this code lies in: the folder of Pulumi.yaml."""
