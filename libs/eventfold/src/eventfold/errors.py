"""What can go wrong in the mechanism, one class per failure, each carrying the ids an operator needs."""

from __future__ import annotations


class EventfoldError(Exception):
    """Base of every failure raised by eventfold."""


class DomainError(EventfoldError):
    """A decider refused a command.

    `code` is an UPPER_SNAKE reason for `google.rpc.ErrorInfo`; `field` names the offending input, if one is to blame;
    `ids` are opaque identifiers. None of them may hold personal or secret values.
    """

    code = "REFUSED"

    def __init__(self, message: str, *, field: str | None = None, **ids: str) -> None:
        super().__init__(message)
        self.field = field
        self.ids = ids


class InvalidInput(DomainError):
    """The command itself is malformed: the same input will always be refused."""

    code = "INVALID_INPUT"


class NotFound(DomainError):
    """The thing that the command is about does not exist, or not for this caller."""

    code = "NOT_FOUND"


class AlreadyExists(DomainError):
    """The thing that the command would create exists already."""

    code = "ALREADY_EXISTS"


class NotPermitted(DomainError):
    """The actor may not do this."""

    code = "NOT_PERMITTED"


class WrongState(DomainError):
    """The thing exists, but its present state does not allow the command."""

    code = "WRONG_STATE"


class UnexpectedVersion(DomainError):
    """The stream is not at the version that the command was meant for: read it again, and decide whether it is still
    wanted. `ids` say which stream, the version that was expected and the one that was found."""

    code = "UNEXPECTED_VERSION"

    def __init__(self, stream: str, expected: int, found: int) -> None:
        super().__init__(
            f"{stream} is at version {found}, not at {expected}: read it again",
            stream=stream,
            expected=str(expected),
            found=str(found),
        )


class AnswerTooLarge(WrongState):
    """What was asked for is larger than an answer can be: a page must be smaller, a thing be made so."""

    code = "ANSWER_TOO_LARGE"

    def __init__(self, found_bytes: int, max_bytes: int) -> None:
        super().__init__(f"the answer has {found_bytes} bytes as JSON, {max_bytes} are the limit: ask for fewer rows")


class Unauthenticated(DomainError):
    """Who calls is not known, or not proven."""

    code = "UNAUTHENTICATED"


class Exhausted(DomainError):
    """The caller asks for more than its share: try again later."""

    code = "EXHAUSTED"


class TooMuchAtOnce(Exhausted):
    """What is decided in one transaction would have more than so many bytes or events: send it in smaller batches."""

    code = "TOO_MUCH_AT_ONCE"

    def __init__(self, most: int, unit: str) -> None:
        super().__init__(f"what is recorded at once would exceed {most} {unit}; send it in smaller batches")


class FoldHalts(EventfoldError):
    """A fold cannot go on, whatever record comes next: nothing is parked for it."""


class VersionConflict(EventfoldError):
    """Another writer appended to one of these streams since it was read. Retrying after a reload is safe."""

    def __init__(self, streams: tuple[str, ...]) -> None:
        super().__init__(f"concurrent append to {', '.join(streams[:3])}")
        self.streams = streams


class Blocked(VersionConflict):
    """Somebody's open transaction holds what the writers of these streams need. Nothing was written; retrying is safe,
    and helps once that transaction has ended."""

    def __init__(self, streams: tuple[str, ...]) -> None:
        super().__init__(streams)
        self.args = (f"an open transaction holds {', '.join(streams[:3])}",)


class DeadlineExceeded(EventfoldError):
    """The time that the caller gave is over. Whether its command was recorded is not known: under an idempotency key it
    may be asked again. `waited_for` says for what, in a few words."""

    def __init__(self, waited_for: str) -> None:
        super().__init__(f"out of time: {waited_for}")
        self.waited_for = waited_for


class Contention(EventfoldError):
    """Conflicts did not cease before the deadline; nothing was written."""

    def __init__(self, streams: tuple[str, ...], attempts: int) -> None:
        super().__init__(f"gave up after {attempts} attempts on {', '.join(streams[:3])}")
        self.streams = streams
        self.attempts = attempts


class IdempotencyMismatch(EventfoldError):
    """An idempotency key was used again with a different input."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"idempotency key reused with another input in {scope}")
        self.scope = scope


class Unrecordable(InvalidInput):
    """An event would not be read as it was decided; its command fails, nothing of it is stored. `field` leads to what
    is to blame, empty where that is the whole event; `reason` holds no value."""

    code = "UNRECORDABLE"

    def __init__(self, event_type: str, field: str, reason: str) -> None:
        place = f"{field} of {event_type}" if field else event_type
        super().__init__(f"{place} cannot be recorded: {reason}", field=field or None, event_type=event_type)


class Unpublishable(InvalidInput):
    """An event cannot be encoded for its topic; its command fails, nothing of it is stored. `reason` holds no value."""

    code = "TOO_LARGE_OR_UNENCODABLE"

    def __init__(self, stream: str, event_type: str, reason: str) -> None:
        super().__init__(f"{event_type} cannot be published: {reason}", event_type=event_type)
        self.stream = stream


class OutcomeUnknown(EventfoldError):
    """A provider gave no usable answer: whether it did what was asked is not known. Asking again by the same number is
    safe. `reason` holds no personal data."""

    def __init__(self, provider: str, reason: str) -> None:
        super().__init__(f"provider {provider}: {reason}")
        self.provider = provider
        self.reason = reason


class PeerUnavailable(EventfoldError):
    """Another service gave no answer to a question of ours that no caller's input is part of."""

    def __init__(self, peer: str, reason: str) -> None:
        super().__init__(f"{peer}: {reason}")
        self.peer = peer
        self.reason = reason


class LeaseLost(EventfoldError):
    """The lease went to another holder (or expired); the current work must be dropped."""

    def __init__(self, name: str, epoch: int) -> None:
        super().__init__(f"lease {name} is no longer held at epoch {epoch}")
        self.name = name
        self.epoch = epoch


class HistoryRewound(EventfoldError):
    """The topic holds what the store does not: the store was restored to an earlier point, or lost its last events.
    Nothing is sent until somebody says what is true."""

    def __init__(self, topic: str, partition: int, seq: int, last_seq: int) -> None:
        super().__init__(
            f"{topic}[{partition}] holds event {seq}, which is not the store's (it has numbers up to {last_seq}): the "
            "store was restored to an earlier point; run `recover` as docs/runbooks/rewound-history.md says"
        )
        self.topic = topic
        self.partition = partition
        self.seq = seq
        self.last_seq = last_seq


class TopicShortened(EventfoldError):
    """A partition ends before it did: it was emptied, or made anew. What was on it is sent again."""

    def __init__(self, topic: str, partition: int, before: int, now: int) -> None:
        super().__init__(f"{topic}[{partition}] ends at offset {now}, it should at {before}: it was made anew")
        self.topic = topic
        self.partition = partition


class RefusedForGood(EventfoldError):
    """The broker will never take this record as it is."""

    def __init__(self, topic: str, partition: int, seq: int, reason: str) -> None:
        super().__init__(f"{topic}[{partition}] refuses event {seq}: {reason}")
        self.topic = topic
        self.partition = partition
        self.seq = seq
        self.reason = reason


class OfNewerBuild(EventfoldError):
    """The store holds what a newer build has written, and this one cannot send: it waits for one that can."""

    def __init__(self, stream: str, version: int, reason: str) -> None:
        super().__init__(f"{stream} version {version} is of a newer build ({reason}): its relay has to send it")
        self.stream = stream
        self.version = version


class HistoryRewritten(EventfoldError):
    """The token stands for an event that never happened: the store was restored to an earlier point since."""

    def __init__(self, service: str, position: int) -> None:
        super().__init__(f"what {service} recorded at {position} is gone: its store was restored")
        self.service = service
        self.position = position


class NoProgress(EventfoldError):
    """A leader that has work got nowhere for so long that another should try; its lease is not renewed."""

    def __init__(self, name: str, stuck_s: float) -> None:
        super().__init__(f"{name} got nothing done for {stuck_s:.0f} s")
        self.name = name


class StalePosition(EventfoldError):
    """A fold's stored position is not the one that its worker believes in: drop the batch and seek again."""

    def __init__(self, projection: str, topic: str, partition: int) -> None:
        super().__init__(f"position of {projection} on {topic}[{partition}] moved under this worker")
        self.projection = projection
        self.topic = topic
        self.partition = partition


class OffsetGap(EventfoldError):
    """Records are missing between the stored position and what Kafka delivers. Halts: never skipped silently."""

    def __init__(self, topic: str, partition: int, expected: int, got: int) -> None:
        super().__init__(f"{topic}[{partition}]: expected offset {expected}, got {got}; restore the topic or rebuild")
        self.topic = topic
        self.partition = partition
        self.expected = expected
        self.got = got


class RecordsMissing(EventfoldError):
    """A partition goes on behind records that it does not hold. Never skipped: its relay sends them again."""

    def __init__(self, topic: str, partition: int, applied: int, previous: int, offset: int) -> None:
        super().__init__(
            f"{topic}[{partition}] at offset {offset}: what comes after event {previous} follows on event {applied}; "
            "the relay of its owner sends what is missing again: see that one leads"
        )
        self.topic = topic
        self.partition = partition


class Poison(EventfoldError):
    """A fold cannot apply this one record, now or later. Raised by projections; `reason` holds no personal data."""

    def __init__(self, event_id: str, reason: str) -> None:
        super().__init__(f"event {event_id}: {reason}")
        self.event_id = event_id
        self.reason = reason


class KeyDestroyed(NotFound):
    """The subject's key has been destroyed: what was sealed under it can never be read again."""

    code = "ERASED"

    def __init__(self, subject_id: str) -> None:
        super().__init__(f"the key of subject {subject_id} has been destroyed", subject_id=subject_id)
        self.subject_id = subject_id


class TopicMisconfigured(EventfoldError):
    """A topic that must keep its history would lose it, or has another shape than declared."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(f"topic {topic}: {reason}")
        self.topic = topic


class TopicLost(EventfoldError):
    """The topic that a handler has positions on is not on Kafka. Halts: another topic is never read in its place."""

    def __init__(self, topic: str, handler: str) -> None:
        super().__init__(
            f"topic {topic}, read by {handler}, is not on Kafka; have its owner run `prepare`: its relay fills it again"
        )
        self.topic = topic
        self.handler = handler
