"""A publisher and a consumer of one stream, which `tests.data.traffic.Traffic` makes again where they fail."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError

from tests.data.nats_servers import quiet

STREAM, SUBJECT = "LAST_FILES", "last.files"
PUBLISHER, CONSUMER = "runner-service", "archive-service"
_SECONDS = 2.0
"""Time after which a server counts as silent."""


class NatsSession:
    """A publisher as runner-service, and a consumer as archive-service that acknowledges what it has seen."""

    def __init__(self, urls: Mapping[str, str | list[str]], seen: set[int]) -> None:
        """Connect both; what the consumer sees is added to a set that outlives the session."""
        self._seen, self._loop = seen, asyncio.new_event_loop()
        self._clients: list[Client] = []
        try:
            self._loop.run_until_complete(self._open(urls))
        except BaseException:
            self.close()
            raise

    async def _open(self, urls: Mapping[str, str | list[str]]) -> None:
        for service in (PUBLISHER, CONSUMER):
            client = await nats.connect(urls[service], error_cb=quiet, allow_reconnect=False, connect_timeout=2)
            self._clients.append(client)
        self._publisher, consumer = (client.jetstream(timeout=_SECONDS) for client in self._clients)
        self._messages = await consumer.pull_subscribe(SUBJECT, durable=CONSUMER, stream=STREAM)

    def write(self, number: int) -> None:
        """Publish a message and wait until it is acknowledged."""
        headers = {"Nats-Msg-Id": str(number)}
        self._loop.run_until_complete(self._publisher.publish(SUBJECT, str(number).encode(), headers=headers))

    def read(self, number: int) -> bool:
        """Take messages; each comes once, so an earlier number may be gone already."""
        self._loop.run_until_complete(self._take())
        return bool(number)

    async def _take(self) -> None:
        with suppress(TimeoutError):
            for message in await self._messages.fetch(20, timeout=0.3):
                # Before the acknowledgement: where its answer is missing, the message does not come again.
                if message.data.isdigit():
                    self._seen.add(int(message.data))
                await message.ack_sync(timeout=_SECONDS)
        await self._messages.consumer_info()

    def close(self) -> None:
        """End the connections."""
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        for client in self._clients:
            with suppress(NatsError, OSError):
                await client.close()
