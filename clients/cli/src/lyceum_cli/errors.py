"""What can go wrong, each with what an operator needs to act on it. None repeats a password, token or personal
value."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


class CliError(Exception):
    """Base of all: the command ends with its sentence and exit status 1."""


class Refused(CliError):
    """The gateway answered with a refusal. `field` and `reason` are empty where it named none."""

    def __init__(self, path: str, status: int, code: int, message: str, field: str = "", reason: str = "") -> None:
        named = f"{field}: " if field else ""
        super().__init__(f"{path} was refused with status {status}: {named}{message}")
        self.path, self.status, self.code, self.message, self.field, self.reason = (
            path,
            status,
            code,
            message,
            field,
            reason,
        )


class Unavailable(CliError):
    """No answer after every retry."""

    def __init__(self, path: str, attempts: int, last: str) -> None:
        super().__init__(f"{path} did not succeed in {attempts} attempts; the last one: {last}")
        self.path, self.attempts = path, attempts


class BadAddress(CliError):
    """What was given as the gateway's address cannot be one. It is repeated, but for a password in it."""

    def __init__(self, url: str, complaint: str) -> None:
        shown = "the gateway's address" if "@" in url else f"the gateway's address {_printable(url)}"
        super().__init__(f"{shown}: {complaint}")
        self.url, self.complaint = url, complaint


class Unreachable(CliError):
    """Nothing answers at the gateway's address."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"no gateway answers at {url}: {reason}")
        self.url, self.reason = url, reason


class BadText(CliError):
    """Something that was typed or piped in cannot be used."""

    def __init__(self, what: str, complaint: str) -> None:
        super().__init__(f"{what} {complaint}")
        self.what = what


class BadAnswer(CliError):
    """The gateway answered something that its interface does not allow."""

    def __init__(self, path: str, complaint: str) -> None:
        super().__init__(f"{path} answered unexpectedly: {complaint}")
        self.path = path


class NotLoggedIn(CliError):
    """A call needs a session and there is none."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} needs a session: log in first")


class BadFile(CliError):
    """A whole input file cannot be used."""

    def __init__(self, file: Path, complaint: str) -> None:
        super().__init__(f"{file}: {complaint}")
        self.file = file


class CannotWrite(CliError):
    """A file, or the output, does not take what is to be written."""

    def __init__(self, where: Path | str, failure: OSError) -> None:
        super().__init__(
            f"{where} cannot be written: {failure.strerror or failure}; once that is mended, the same command goes on"
        )
        self.where = where


class Held(CliError):
    """Another import works with the same file or folder. The command ends with exit status 3."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(f"{path} is in use by another import ({holder}): wait until it has ended, or name another")
        self.path, self.holder = path, holder


class NotAdmin(CliError):
    """Who is logged in may not make accounts or give roles. Nothing was sent but the log-in."""

    def __init__(self, username: str, role: str) -> None:
        super().__init__(f"{_printable(username)} has the role {role}, and only an admin may do this")
        self.username, self.role = username, role


class NameTaken(CliError):
    """The name of an account that was to be made is in use. It gets no role: it may be somebody else's."""

    def __init__(self, name: str, role: str) -> None:
        super().__init__(
            f"the name {_printable(name)} is taken, perhaps by somebody else: choose another; or, if it is theirs who "
            f"shall have the role, have them tell their member id (GET /v1/members/me) and say "
            f"`lyceum account grant MEMBER_ID --role {role}`"
        )
        self.name, self.role = name, role


class RoleNotGranted(CliError):
    """A new account was registered and did not get its role. `member_id` is empty where it is not known."""

    def __init__(self, name: str, member_id: str, role: str, cause: CliError) -> None:
        super().__init__(
            f"{_printable(name)} is registered, but as a consumer: {cause}; "
            f"`lyceum account grant {member_id or 'MEMBER_ID'} --role {role}` gives it the role"
        )
        self.name, self.member_id, self.role = name, member_id, role


class BadMapping(CliError):
    """A mapping file does not say what it must, or says something unknown."""

    def __init__(self, file: Path, place: str, complaint: str) -> None:
        super().__init__(f"{file}: {place}: {complaint}")
        self.file, self.place = file, place


class OtherImport(CliError):
    """The state file belongs to an unfinished import of something else."""

    def __init__(self, file: Path, differing: Sequence[str]) -> None:
        super().__init__(
            f"{file} holds an unfinished import that differs in: {', '.join(differing)}; finish that one, "
            "name another --state, or remove the file to begin anew (what was imported counts once all the same)"
        )
        self.file, self.differing = file, tuple(differing)


class StillStale(CliError):
    """Some projections have not passed the import's tokens in time; the import itself is recorded."""

    def __init__(self, paths: Sequence[str], waited_s: float) -> None:
        super().__init__(
            f"everything is recorded, but after {waited_s:.0f} s these answers lag behind: {', '.join(paths)}"
        )
        self.paths = tuple(paths)
