"""Times a stack whose state is in a bucket against one in a folder: `python -m benchmarks.shared_state`.

The bucket is one of a real S3 server (SeaweedFS) on loopback, behind a proxy by which each request arrives 20 ms later.
The platform of alpha is created, changed and removed by `altlas` with its state in a folder and in the bucket, in
turns, on one simulated cluster. The last column is the first divided by each: 1 / 1.3 = 0.77 is the aim for the bucket.
Plain `pulumi` is not among them: this server shows it empty folders of locks as locks for some seconds; S3 does not.
"""

import argparse
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from altlas.session.session import Session
from benchmarks.contenders import Ours
from benchmarks.platform import STACK, measure, prepared_cluster, table
from components.stack.problems import PROJECT
from tests.data.s3_server import WRITER, S3Server, running
from tests.support.delay_proxy import delaying

DELAY_SECONDS = 0.02
_BUCKET = "states"


@dataclass
class OursInBucket(Ours):
    """The program with its state in a bucket.

    Attributes:
        server: The bucket's server.
    """

    server: S3Server | None = None

    def destroy(self) -> None:
        """Remove the stack; plain Pulumi takes away the protection of its stores first."""
        if self.server:
            self.server.forget_locks(_BUCKET, f".pulumi/locks/organization/{PROJECT}/{STACK}/")
        super().destroy()


def in_bucket(session: Session, address: str) -> Session:
    """The same cluster and program, with an empty stack whose state is in the bucket."""
    query = f"region=us-east-1&endpoint=http://{address}&s3ForcePathStyle=true"
    keys = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), WRITER, strict=True))
    backend = {"PULUMI_BACKEND_URL": f"s3://{_BUCKET}?{query}"}
    engine = replace(session.engine, variables={**session.engine.variables, **keys, **backend})
    engine.create_stack(STACK)
    return replace(session, engine=engine)


def main() -> None:
    """Measure on a fresh simulated cluster and print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each job is timed (default 3)")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="alt-las-bucket-") as folder, running(Path(folder), tls=False) as server:
        server.client().create_bucket(Bucket=_BUCKET)
        host, _, port = server.endpoint.rpartition("/")[2].rpartition(":")
        with delaying(host, int(port), DELAY_SECONDS) as address, prepared_cluster() as (session, _root):
            stack_file = session.workspace.stack_file(STACK)
            shared = in_bucket(session, address)
            rivals = (
                Ours(session, STACK, stack_file, "folder"),
                OursInBucket(shared, STACK, stack_file, "bucket", server=server),
            )
            results = measure(rivals, rounds)
    print(
        f"{rounds} rounds, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end; last column: folder / each"
    )
    print("\n".join(table(results)))


if __name__ == "__main__":
    main()
