"""Everything that the program in the working directory says of itself, as JSON. Run as a program, on a copy."""

import json

from altlas.compose.compose import compose
from components.services import SERVICES
from components.settings.secrets import SECRETS
from components.stack.image_build import RUNTIME_OF
from components.stack.schema import stack_file_schema
from components.traffic.stack_graph import stack_graph
from policy.proof.declaration import declaration_of
from policy.proof.reachability import prove
from policy.stacks import load_stack


def main() -> None:
    """Write the document."""
    stack = load_stack("alpha")
    proof = prove(stack.manifests, declaration_of(stack.platform))
    document = {
        "objects": stack.manifests,
        "calls": sorted(str(call) for call in stack_graph(SERVICES, stack.platform).calls),
        "differences": [str(each) for each in proof.differences],
        "proven": sorted(map(str, proof.proven)),
        "compose": compose("alpha", stack.platform, stack.manifests)[0],
        "runtimes": dict(RUNTIME_OF),
        "secrets": [secret.key for secret in SECRETS],
        "schema": stack_file_schema(),
    }
    print(json.dumps(document))


if __name__ == "__main__":
    main()
