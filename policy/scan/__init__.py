"""Runs other projects' scanners over what the stacks render, over the workflows and over the pinned packages.

Owns how each scanner is started, what counts as a finding, which findings are excepted and why, and the table. Does not
own the rules: those are the scanners' own, and our own rules are `policy.rules`.
"""
