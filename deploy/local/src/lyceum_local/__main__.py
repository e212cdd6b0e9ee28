"""The stack from the command line: `make up`, `make down`, `make status` and `make logs` call this."""

import argparse
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lyceum_local import backup as backups
from lyceum_local import drafting, looking, report, restoring, web
from lyceum_local.accounts import make_account, make_reader
from lyceum_local.errors import StackError
from lyceum_local.instance import OPERATOR
from lyceum_local.java import find_java
from lyceum_local.settings import SERVICES, StackSettings, ports_of
from lyceum_local.stack import LocalStack
from servicekit.drafting import checked_name


def up(stack: LocalStack, arguments: argparse.Namespace) -> None:
    """Starts everything and tells where to find it."""
    with stack.exclusively():
        stack.speak_tls(wanted=arguments.tls or stack.settings.tls)
        stack.up()
    print(f"Lyceum is up: {stack.around.public_url} (data and logs in {stack.data_dir}); make down stops it.")
    if web.is_installed():
        print(f"Its pages: {stack.around.public_url}/web/; make dashboard makes a log-in for them.")


def dashboard(stack: LocalStack, arguments: argparse.Namespace) -> None:
    """Prints the dashboard's address and a log-in that may read all figures; makes the account at the first time."""
    name, password = make_reader(stack)
    print(f"The dashboard: {stack.around.public_url}/web/{arguments.query}")
    print(f"log in as {name} with the password {password}")


def backing(stack: LocalStack, arguments: argparse.Namespace) -> None:
    """Starts PostgreSQL and Kafka only and prints their addresses as environment lines."""
    with stack.exclusively():
        stack.start_backing()
    print(f"DATABASE_URL_ADMIN={stack.admin_url}\nKAFKA_BOOTSTRAP={stack.kafka_bootstrap}")
    if stack.kafka_tls:
        print(f"KAFKA_TLS_DIR={stack.around.tls_dir(OPERATOR)}")


def backup(stack: LocalStack, arguments: argparse.Namespace) -> None:
    """Saves databases, keys, passwords and the provider's book in a new folder; the stack may be up and under load."""
    target = (arguments.to or backups.default_target(stack)).expanduser().resolve()
    with stack.exclusively():
        ran = stack.supervisor.running()
        stack.start_postgres()
        try:
            backups.back_up(stack, target)
        finally:
            if not ran:
                stack.down()
    print(f"The backup is complete: {target}; keep it elsewhere, and to yourself: it holds keys and passwords.")


def restore(stack: LocalStack, arguments: argparse.Namespace) -> None:
    """Brings everything to what a backup holds, and up. What was there is kept beside."""
    source = arguments.source.expanduser().resolve()
    restoring.adopt_ports(source, stack.data_dir)
    stack = LocalStack(stack.data_dir, ports_of(stack.data_dir), say=stack.say)
    with stack.exclusively():
        restoring.restore(stack, source, force=arguments.force)
    print(f"Lyceum is up as it was: {stack.around.public_url} (data and logs in {stack.data_dir})")


def down(stack: LocalStack, arguments: argparse.Namespace) -> None:
    """Stops everything and keeps the data."""
    with stack.exclusively():
        stack.down()
    print("Lyceum is down; its data stays in", stack.data_dir)


def status(stack: LocalStack, arguments: argparse.Namespace) -> None:
    """Prints each process with its state and memory; leaves with 1 where one needs a person."""
    rows = report.rows(stack)
    print(report.as_json(rows) if arguments.json else report.as_table(rows))
    troubles = report.troubles(rows)
    for trouble in troubles:
        print(f"lyceum: {trouble}", file=sys.stderr)
    sys.exit(1 if troubles else 0)


def logs(stack: LocalStack, arguments: argparse.Namespace) -> None:
    """Follows the logs of one service, or of everything."""
    report.follow(stack, arguments.service)


def restart(stack: LocalStack, arguments: argparse.Namespace) -> None:
    """Restarts one process, with the settings that the stack was started with."""
    stack.restart(arguments.process)
    print(f"{arguments.process} runs again, with the environment of the `up` that started the stack")
    print("If you changed a setting (METRICS_ZONE=…), it is not in use yet: `make down`, then `make up` with it.")


def migration(stack: LocalStack, arguments: argparse.Namespace) -> None:
    """Writes the next migration of a service: what its declared tables need that its migrations do not make."""
    with stack.exclusively():
        ran = stack.supervisor.running()
        stack.start_postgres()
        try:
            file = drafting.draft(stack, arguments.service, arguments.name)
        finally:
            if not ran:
                stack.down()
    print(f"written: {file}; read it, add indexes, and rebuild what it changes" if file else "nothing to migrate")


def java(stack: LocalStack, arguments: argparse.Namespace) -> None:
    """Prints the Java that would run Kafka."""
    print(find_java())


def ops(stack: LocalStack, arguments: argparse.Namespace) -> None:
    """Runs an operators' command (eventfold) on one service; leaves with its status."""
    stack.states()  # refuses where nothing runs
    # The command may examine a broken part, so it must not depend on it: nothing is created or written before it runs.
    command = [sys.executable, "-m", "eventfold_ops", "--app", f"{arguments.service}.bootstrap:deployment"]
    variables = os.environ | stack.known_environment(arguments.service)
    sys.exit(subprocess.run([*command, *arguments.words], env=variables, check=False).returncode)


def account(stack: LocalStack, arguments: argparse.Namespace) -> None:
    """Makes an account with a role that nobody can register into: importer, auditor, admin; safe to repeat."""
    sys.exit(make_account(stack, arguments.username, arguments.role, arguments.password_file))


def events(stack: LocalStack, arguments: argparse.Namespace) -> None:
    """What a member, or one request, caused in all services: no content, only which events."""
    found = looking.events(stack, arguments.member or "", arguments.correlation or "")
    print(json.dumps(found, indent=1) if arguments.json else looking.lines(found))


Command = Callable[[LocalStack, argparse.Namespace], None]
COMMANDS: dict[str, Command] = {
    "up": up,
    "dashboard": dashboard,
    "backing": backing,
    "backup": backup,
    "restore": restore,
    "down": down,
    "stop": down,
    "status": status,
    "logs": logs,
    "restart": restart,
    "ops": ops,
    "account": account,
    "events": events,
    "java": java,
    "migration": migration,
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    root = argparse.ArgumentParser(prog="lyceum_local", description=sys.modules["lyceum_local"].__doc__)
    commands = root.add_subparsers(dest="command", required=True)
    for name, command in COMMANDS.items():
        sub = commands.add_parser(name, help=command.__doc__)
        sub.add_argument("--data-dir", type=Path, help="default: LYCEUM_DATA_DIR, else ~/.local/share/lyceum")
        sub.add_argument(
            "--free-ports",
            action="store_true",
            help="choose free ports at the first start, for an instance beside another",
        )
    commands.choices["status"].add_argument("--json", action="store_true")
    commands.choices["up"].add_argument("--tls", action="store_true", help="mutual TLS between all parts")
    commands.choices["dashboard"].add_argument("--query", default="", help="choices of the page, as ?days=90")
    commands.choices["backup"].add_argument("--to", type=Path, help="a new folder; default: one in the data folder")
    commands.choices["restore"].add_argument("--from", dest="source", type=Path, required=True, help="a backup")
    commands.choices["restore"].add_argument("--force", action="store_true", help="also over what is there")
    commands.choices["logs"].add_argument("service", nargs="?", help="a service (identity) or process (identity-work)")
    commands.choices["restart"].add_argument("process")
    for name in ("ops", "migration"):
        commands.choices[name].add_argument("service", choices=SERVICES)
    commands.choices["migration"].add_argument("name", type=_migration_name, help="in snake_case, as add_courses")
    commands.choices["account"].add_argument("username")
    commands.choices["account"].add_argument("--role", required=True, help="importer, auditor or admin, for example")
    commands.choices["account"].add_argument(
        "--password-file", type=Path, help="its first line; default: asked for, or a line of standard input"
    )
    which = commands.choices["events"].add_mutually_exclusive_group(required=True)
    which.add_argument("--member", metavar="USERNAME", help="what this member did, and what is about them")
    which.add_argument("--correlation", metavar="ID", help="what one request caused: its x-request-id")
    commands.choices["events"].add_argument("--json", action="store_true")
    commands.choices["ops"].add_argument("words", nargs=argparse.REMAINDER, help="see `eventfold --help`")
    return root


def _migration_name(text: str) -> str:
    try:
        return checked_name(text)
    except ValueError as bad:
        raise argparse.ArgumentTypeError(str(bad)) from bad


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command. Returns 1, with a sentence on standard error, if it is refused."""
    arguments = parser().parse_args(argv)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # errors while the broker still starts are expected
    started = time.monotonic()
    say = lambda line: print(f"[{time.monotonic() - started:5.1f} s] {line}", file=sys.stderr, flush=True)  # noqa: E731
    try:
        data_dir = arguments.data_dir or StackSettings().data_dir
        stack = LocalStack(data_dir, ports_of(data_dir, free=arguments.free_ports), say=say)
        COMMANDS[arguments.command](stack, arguments)
    except StackError as refused:
        print(f"lyceum: {refused}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lyceum: interrupted; make up goes on from here, make down stops what runs", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
