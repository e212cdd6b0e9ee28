"""Why the consumer stops. It never skips: what it cannot read it reads later, when somebody has helped."""

from __future__ import annotations


class MustStop(Exception):
    """Somebody has to look before reading goes on."""


class UnknownSchema(MustStop):
    """The value was written under a schema that this consumer does not carry."""

    def __init__(self, found: str) -> None:
        super().__init__(f"no schema with {found}: fetch the newer files of schemas/avro and start again")
        self.found = found


class RecordsMissing(MustStop):
    """A record before this one never came."""

    def __init__(self, name: str, partition: int, missing_seq: int) -> None:
        super().__init__(f"{name}/{partition}: the record with ce_sequence {missing_seq} never came; ask its owner")
        self.missing_seq = missing_seq


class NotOurs(MustStop):
    """A record has no form that the contracts describe."""

    def __init__(self, name: str, partition: int, offset: int, said: str) -> None:
        super().__init__(f"{name}/{partition} at {offset}: {said}")
        self.offset = offset


class NoSuchTopic(MustStop):
    """The topic is not on the broker, or not any more."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"{topic} is not on the broker: was it deleted, or is the prefix another one?")
        self.topic = topic
