"""Starts the policy pack for `pulumi preview --policy-pack policy/pack`. Not to be imported: it runs until stopped."""

import sys
from pathlib import Path

# Pulumi starts the pack in its own folder, from where the rules' package cannot be seen.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pulumi_policy import PolicyPack

from policy.pack.crossguard import policies

PolicyPack(name="alt-las", policies=policies())
