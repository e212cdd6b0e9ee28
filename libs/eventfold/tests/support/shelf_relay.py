"""A relay of the example domain as a process: `python shelf_relay.py URL BOOTSTRAP PREFIX HOLDER`."""

from __future__ import annotations

import asyncio
import sys

import psycopg
from shelf import CODEC, TOPIC, JsonInsteadOfAvro, to_public

from eventfold import Connection
from eventfold.publish.brokers import Brokers
from eventfold.publish.publisher import Publisher
from eventfold.publish.relay import Relay
from eventfold.publish.sending import Producer
from eventfold.publish.witness import tails_of


async def main(url: str, bootstrap: str, prefix: str, holder: str) -> None:
    async def connect() -> Connection:
        return await psycopg.AsyncConnection.connect(url, autocommit=True)

    brokers = Brokers(bootstrap)
    await Relay(
        name="relay",
        holder=holder,
        connect=connect,
        producers=lambda: Producer(brokers, holder),
        publisher=Publisher("/library", to_public, JsonInsteadOfAvro(), prefix),
        codec=CODEC,
        topics=[prefix + TOPIC],
        tails=tails_of(brokers),
    ).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
