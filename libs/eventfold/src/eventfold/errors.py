"""The failures of eventfold: one class per failure, each with the ids that an operator needs."""

from __future__ import annotations


class EventfoldError(Exception):
    """Base of every failure raised by eventfold."""


class DomainError(EventfoldError):
    """A decider refused a command.

    `code` is an UPPER_SNAKE reason for `google.rpc.ErrorInfo`. `field` names the input that caused the refusal, if
    there is one. `ids` are opaque identifiers. None of them may hold personal or secret values.
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
    """The object of the command does not exist, or is not visible to this caller."""

    code = "NOT_FOUND"


class AlreadyExists(DomainError):
    """The object that the command would create exists already."""

    code = "ALREADY_EXISTS"


class NotPermitted(DomainError):
    """The actor may not do this."""

    code = "NOT_PERMITTED"


class WrongState(DomainError):
    """The object exists, but its present state does not allow the command."""

    code = "WRONG_STATE"


class UnexpectedVersion(DomainError):
    """The stream is not at the version that the command expects. The caller should read the stream again and decide
    whether it still wants the command. `ids` hold the stream, the expected version and the version found."""

    code = "UNEXPECTED_VERSION"

    def __init__(self, stream: str, expected: int, found: int) -> None:
        super().__init__(
            f"{stream} is at version {found}, not at {expected}: read it again",
            stream=stream,
            expected=str(expected),
            found=str(found),
        )


class AnswerTooLarge(WrongState):
    """The requested answer is larger than an answer may be. The caller must ask for a smaller page, or make the object
    smaller."""

    code = "ANSWER_TOO_LARGE"

    def __init__(self, found_bytes: int, max_bytes: int) -> None:
        super().__init__(f"the answer has {found_bytes} bytes as JSON, {max_bytes} are the limit: ask for fewer rows")


class Unauthenticated(DomainError):
    """The caller is not known, or did not prove its identity."""

    code = "UNAUTHENTICATED"


class Exhausted(DomainError):
    """The caller asks for more than its share: try again later."""

    code = "EXHAUSTED"


class TooMuchAtOnce(Exhausted):
    """One transaction would record more bytes or events than its limit. Send smaller batches."""

    code = "TOO_MUCH_AT_ONCE"

    def __init__(self, most: int, unit: str) -> None:
        super().__init__(f"what is recorded at once would exceed {most} {unit}; send it in smaller batches")


class FoldHalts(EventfoldError):
    """A fold cannot go on, whichever record comes next. No record is parked for this failure."""


class BuiltUnderOther(FoldHalts):
    """The rows of a projection were built under another value of a setting than this process has. Nothing is folded
    into them or read from them, because both values would be mixed."""

    def __init__(self, projection: str, setting: str, found: str, wanted: str) -> None:
        self.says = f"{projection} was built under {setting}={found}, and this process has {setting}={wanted}"
        self.advice = (
            f"set it back, or run `rebuild {projection} --new-settings` with the new value and then restart every "
            "process with it, as docs/runbooks/rebuild.md says"
        )
        super().__init__(f"{self.says}: {self.advice}")
        self.projection = projection
        self.setting = setting
        self.found = found
        self.wanted = wanted


class VersionConflict(EventfoldError):
    """Another writer appended to one of these streams since it was read. It is safe to reload and retry."""

    def __init__(self, streams: tuple[str, ...]) -> None:
        super().__init__(f"concurrent append to {', '.join(streams[:3])}")
        self.streams = streams


class Blocked(VersionConflict):
    """Another open transaction holds a lock that the writers of these streams need. Nothing was written. Retrying is
    safe, and can succeed once that transaction has ended."""

    def __init__(self, streams: tuple[str, ...]) -> None:
        super().__init__(streams)
        self.args = (f"an open transaction holds {', '.join(streams[:3])}",)


class DeadlineExceeded(EventfoldError):
    """The caller's deadline has passed. It is not known whether the command was recorded; under an idempotency key it
    may be sent again. `waited_for` says in a few words what the command was waiting for."""

    def __init__(self, waited_for: str) -> None:
        super().__init__(f"out of time: {waited_for}")
        self.waited_for = waited_for


class Contention(EventfoldError):
    """The conflicts did not end before the deadline. Nothing was written."""

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
    """An event would not be read back as it was decided. Its command fails, and nothing of it is stored. `field` is the
    path to the cause, and is empty if the cause is the whole event. `reason` holds no value of the event."""

    code = "UNRECORDABLE"

    def __init__(self, event_type: str, field: str, reason: str) -> None:
        place = f"{field} of {event_type}" if field else event_type
        super().__init__(f"{place} cannot be recorded: {reason}", field=field or None, event_type=event_type)


class Unpublishable(InvalidInput):
    """An event cannot be encoded for its topic. Its command fails, and nothing of it is stored. `reason` holds no value
    of the event."""

    code = "TOO_LARGE_OR_UNENCODABLE"

    def __init__(self, stream: str, event_type: str, reason: str) -> None:
        super().__init__(f"{event_type} cannot be published: {reason}", event_type=event_type)
        self.stream = stream


class OutcomeUnknown(EventfoldError):
    """A provider gave no usable answer: it is not known whether it did what was asked. It is safe to ask again with the
    same number. `reason` holds no personal data."""

    def __init__(self, provider: str, reason: str) -> None:
        super().__init__(f"provider {provider}: {reason}")
        self.provider = provider
        self.reason = reason


class PeerUnavailable(EventfoldError):
    """Another service did not answer a request of ours that contains no caller's input."""

    def __init__(self, peer: str, reason: str) -> None:
        super().__init__(f"{peer}: {reason}")
        self.peer = peer
        self.reason = reason


class LeaseLost(EventfoldError):
    """The lease expired or went to another holder. The current work must be dropped."""

    def __init__(self, name: str, epoch: int) -> None:
        super().__init__(f"lease {name} is no longer held at epoch {epoch}")
        self.name = name
        self.epoch = epoch


class HistoryRewound(EventfoldError):
    """The topic holds events that the store does not have: the store was restored to an earlier point, or lost its last
    events. Nothing is sent until an operator says which of them is right."""

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
    """A partition ends at a lower offset than before: it was emptied or created anew. The events that were on it are
    sent again."""

    def __init__(self, topic: str, partition: int, before: int, now: int) -> None:
        super().__init__(f"{topic}[{partition}] ends at offset {now}, it should at {before}: it was made anew")
        self.topic = topic
        self.partition = partition


class RefusedForGood(EventfoldError):
    """The broker will never accept this record as it is."""

    def __init__(self, topic: str, partition: int, seq: int, reason: str) -> None:
        super().__init__(f"{topic}[{partition}] refuses event {seq}: {reason}")
        self.topic = topic
        self.partition = partition
        self.seq = seq
        self.reason = reason


class OfNewerBuild(EventfoldError):
    """A newer build wrote an event to the store that this build cannot send. This relay waits for one of the newer
    build."""

    def __init__(self, stream: str, version: int, reason: str) -> None:
        super().__init__(f"{stream} version {version} is of a newer build ({reason}): its relay has to send it")
        self.stream = stream
        self.version = version


class HistoryRewritten(EventfoldError):
    """The token stands for an event that no longer exists: the store was restored to an earlier point after the token
    was issued."""

    def __init__(self, service: str, position: int) -> None:
        super().__init__(f"what {service} recorded at {position} is gone: its store was restored")
        self.service = service
        self.position = position


class NoProgress(EventfoldError):
    """A leader that has work made no progress for so long that another should try. Its lease is not renewed."""

    def __init__(self, name: str, stuck_s: float) -> None:
        super().__init__(f"{name} got nothing done for {stuck_s:.0f} s")
        self.name = name


class StalePosition(EventfoldError):
    """The stored position of a fold differs from the one its worker expects. Drop the batch and seek again."""

    def __init__(self, projection: str, topic: str, partition: int) -> None:
        super().__init__(f"position of {projection} on {topic}[{partition}] moved under this worker")
        self.projection = projection
        self.topic = topic
        self.partition = partition


class OffsetGap(EventfoldError):
    """Records are missing between the stored position and the records that Kafka delivers. The worker halts: a gap is
    never skipped silently."""

    def __init__(self, topic: str, partition: int, expected: int, got: int) -> None:
        super().__init__(f"{topic}[{partition}]: expected offset {expected}, got {got}; restore the topic or rebuild")
        self.topic = topic
        self.partition = partition
        self.expected = expected
        self.got = got


class RecordsMissing(EventfoldError):
    """A partition goes on after records that it does not hold. They are never skipped: the relay sends them again."""

    def __init__(self, topic: str, partition: int, applied: int, previous: int, offset: int) -> None:
        super().__init__(
            f"{topic}[{partition}] at offset {offset}: what comes after event {previous} follows on event {applied}; "
            "the relay of its owner sends what is missing again: see that one leads"
        )
        self.topic = topic
        self.partition = partition


class Poison(EventfoldError):
    """A fold can never apply this one record. Projections raise it; `reason` holds no personal data."""

    def __init__(self, event_id: str, reason: str) -> None:
        super().__init__(f"event {event_id}: {reason}")
        self.event_id = event_id
        self.reason = reason


class KeyDestroyed(NotFound):
    """The key of the subject was destroyed: nothing sealed under it can ever be read again."""

    code = "ERASED"

    def __init__(self, subject_id: str) -> None:
        super().__init__(f"the key of subject {subject_id} has been destroyed", subject_id=subject_id)
        self.subject_id = subject_id


class TopicMisconfigured(EventfoldError):
    """A topic that must keep its history would lose it, or its settings or partitions differ from the declared ones."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(f"topic {topic}: {reason}")
        self.topic = topic


class TopicLost(EventfoldError):
    """The topic on which a handler has positions is not on Kafka. The worker halts: another topic is never read in its
    place."""

    def __init__(self, topic: str, handler: str) -> None:
        super().__init__(
            f"topic {topic}, read by {handler}, is not on Kafka; have its owner run `prepare`: its relay fills it again"
        )
        self.topic = topic
        self.handler = handler


class CertificateUnusable(EventfoldError):
    """A file of a certificate folder is missing, cannot be parsed, or does not fit the others. Shows no key."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file} {reason}")
        self.file = file
