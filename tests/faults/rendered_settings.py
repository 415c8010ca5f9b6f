"""`python -m tests.faults.rendered_settings < DOCUMENTS`: a line of JSON for each document that renders.

A document is a line `[stack, settings]`. Printed are the digest of all objects and what the API server's schema says.
Run by its test as a process, so that two of them have different seeds of hashes.
"""

import json
import sys
from hashlib import sha256

from components.stack.problems import SettingsError
from policy.schemas.validation import problems
from policy.stacks import load_stack


def main() -> None:
    """Render all documents of the standard input."""
    for line in sys.stdin:
        stack, document = json.loads(line)
        try:
            manifests = load_stack(stack, document).manifests
        except SettingsError as error:
            print(json.dumps({"refused": str(error)}), flush=True)
            continue
        digest = sha256(json.dumps(manifests).encode()).hexdigest()
        wrong = [problem for manifest in manifests for problem in problems(manifest)]
        print(json.dumps({"digest": digest, "wrong": wrong}), flush=True)


if __name__ == "__main__":
    main()
