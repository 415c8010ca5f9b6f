"""A distant server: a proxy on loopback by which everything that is sent arrives later.

Owns the delay of each request by one constant. Does not own what is said: bytes pass unread, TLS included, and a long
request is not slower than on the direct way, only later.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread


@contextmanager
def delaying(host: str, port: int, seconds: float) -> Iterator[str]:
    """Address of a proxy in front of a server; requests arrive later by so many seconds, answers at once."""
    ready, found = Event(), list[int]()
    over, loop = asyncio.Event(), list[asyncio.AbstractEventLoop]()

    async def serve() -> None:
        server = await asyncio.start_server(lambda reader, writer: _pass(reader, writer, host, port, seconds), host, 0)
        loop.append(asyncio.get_running_loop())
        found.append(server.sockets[0].getsockname()[1])
        ready.set()
        await over.wait()
        server.close()

    thread = Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield f"{host}:{found[0]}"
    finally:
        loop[0].call_soon_threadsafe(over.set)
        thread.join()


async def _pass(
    client: asyncio.StreamReader, answers: asyncio.StreamWriter, host: str, port: int, seconds: float
) -> None:
    with suppress(OSError, asyncio.CancelledError):
        server, requests = await asyncio.open_connection(host, port)
        await asyncio.gather(_copy(client, requests, seconds), _copy(server, answers, 0))


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter, seconds: float) -> None:
    """Pass on bytes in order, each so much later than it was read."""
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def read() -> None:
        chunk = b"."
        while chunk:
            try:
                chunk = await source.read(65536)
            except OSError:
                chunk = b""
            under_way.put_nowait((time.monotonic() + seconds, chunk))

    reading = asyncio.ensure_future(read())
    with suppress(OSError):
        while True:
            due, chunk = await under_way.get()
            await asyncio.sleep(max(0, due - time.monotonic()))
            if not chunk:
                break
            target.write(chunk)
            await target.drain()
    reading.cancel()
    target.close()
