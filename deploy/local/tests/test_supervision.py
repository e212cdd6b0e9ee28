"""A real supervisor over small processes: restarts, kills, and what a killed supervisor leaves behind."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from lyceum_local.__main__ import main
from lyceum_local.errors import NotRunning, UnknownProcess
from lyceum_local.instance import Instance
from lyceum_local.leftovers import end_leftovers, marked
from lyceum_local.program import Program
from lyceum_local.supervisor_link import Supervisor
from lyceum_local.waiting import poll

pytestmark = pytest.mark.servers

WAIT_S = 30.0
IDLE = (sys.executable, "-c", "import signal; signal.pause()")


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path)
    made.ensure_running()
    yield made
    made.shutdown()


def run(supervisor: Supervisor, program: Program) -> int:
    supervisor.define(program)
    supervisor.start(program.name)
    return pid_other_than(supervisor, program.name, 0)


def pid_other_than(supervisor: Supervisor, name: str, old: int) -> int:
    reason = poll(lambda: None if supervisor.state(name).pid not in (0, old) else "no new process", WAIT_S)
    assert reason is None
    return supervisor.state(name).pid


def test_given_a_running_process_when_it_is_killed_then_it_is_started_again(supervisor: Supervisor) -> None:
    first = run(supervisor, Program("idle", IDLE))
    supervisor.signal("idle", "KILL")
    assert pid_other_than(supervisor, "idle", first) != first


def test_given_a_paused_process_when_it_is_resumed_then_it_is_the_same_process(supervisor: Supervisor) -> None:
    pid = run(supervisor, Program("idle", IDLE))
    supervisor.signal("idle", "STOP")
    assert poll(lambda: None if psutil.Process(pid).status() == psutil.STATUS_STOPPED else "runs", WAIT_S) is None
    supervisor.signal("idle", "CONT")
    assert poll(lambda: None if psutil.Process(pid).status() != psutil.STATUS_STOPPED else "stopped", WAIT_S) is None
    assert supervisor.state("idle").pid == pid


def test_given_a_running_process_when_it_is_defined_and_started_again_then_nothing_happens(
    supervisor: Supervisor,
) -> None:
    pid = run(supervisor, Program("idle", IDLE))
    assert run(supervisor, Program("idle", IDLE)) == pid


def test_given_a_running_process_when_its_definition_changes_then_the_next_start_uses_the_new_one(
    supervisor: Supervisor,
) -> None:
    run(supervisor, Program("idle", IDLE))
    pid = run(supervisor, Program("idle", IDLE, {"COLOUR": "green"}))
    told = psutil.Process(pid).environ  # until it has become the program, the new process shows the supervisor's own
    assert poll(lambda: None if told().get("COLOUR") == "green" else "not told", WAIT_S) is None


def test_given_two_threads_when_each_defines_its_programs_then_all_are_known_and_none_is_stopped(
    supervisor: Supervisor,
) -> None:
    programs = [Program(f"idle{n}", IDLE) for n in range(12)]
    with ThreadPoolExecutor(2) as pool:
        pids = list(pool.map(lambda program: run(supervisor, program), programs))
    assert [supervisor.state(program.name).pid for program in programs] == pids


@pytest.mark.parametrize("retries", [0, 20])
def test_given_a_process_that_ends_at_its_start_when_the_state_is_asked_then_the_next_step_is_named_and_it_fails(
    supervisor: Supervisor,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    retries: int,
) -> None:
    monkeypatch.setattr("lyceum_local.program.START_RETRIES", retries)
    wanted = "BACKOFF" if retries else "FATAL"
    supervisor.define(Program("ends", (sys.executable, "-c", "raise SystemExit(3)")))
    supervisor.start("ends")
    reached = poll(lambda: None if supervisor.state("ends").state == wanted else "not yet", WAIT_S)
    assert reached is None

    with pytest.raises(SystemExit, match="1"):
        main(["status", "--data-dir", str(tmp_path)])

    said = capsys.readouterr()
    assert "supervisor" in said.out
    assert re.search(r"ends ended .*make logs SERVICE=ends.*make up starts it", said.err), said.err


def test_given_processes_that_run_when_the_state_is_asked_then_all_is_well(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    run(supervisor, Program("idle", IDLE))
    with pytest.raises(SystemExit, match="0"):
        main(["status", "--data-dir", str(tmp_path)])


@pytest.mark.parametrize("retries", [0, 20])
def test_given_a_process_that_was_given_up_or_waits_when_its_part_is_launched_again_then_it_starts_at_once(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, retries: int
) -> None:
    monkeypatch.setattr("lyceum_local.program.START_RETRIES", retries)
    flag = tmp_path / "mended"
    script = f"import pathlib, signal; pathlib.Path({str(flag)!r}).exists() or exit(3); signal.pause()"
    program = Program("mends", (sys.executable, "-c", script))
    supervisor.define(program)
    supervisor.start("mends")
    wanted = "BACKOFF" if retries else "FATAL"
    assert poll(lambda: None if supervisor.state("mends").state == wanted else "not yet", WAIT_S) is None
    flag.touch()

    Instance(tmp_path)._launch(program, [])

    assert supervisor.state("mends").state in ("STARTING", "RUNNING")
    assert pid_other_than(supervisor, "mends", 0)


def test_given_a_stopped_process_when_it_is_stopped_again_then_nothing_happens(supervisor: Supervisor) -> None:
    run(supervisor, Program("idle", IDLE))
    supervisor.stop(["idle"])
    supervisor.stop(["idle"])
    assert supervisor.state("idle").pid == 0


def test_given_an_unknown_name_when_it_is_asked_for_then_it_is_refused(supervisor: Supervisor) -> None:
    for ask in (supervisor.state, supervisor.start, lambda name: supervisor.signal(name, "KILL")):
        with pytest.raises(UnknownProcess, match="nobody"):
            ask("nobody")


def test_given_a_killed_supervisor_when_it_is_started_again_then_its_orphans_are_gone(supervisor: Supervisor) -> None:
    orphan = run(supervisor, Program("idle", IDLE))
    os.kill(supervisor.pid(), signal.SIGKILL)
    assert poll(lambda: "answers" if supervisor.running() else None, WAIT_S) is None
    assert psutil.pid_exists(orphan)

    supervisor.ensure_running()

    assert not psutil.pid_exists(orphan)
    assert run(supervisor, Program("idle", IDLE)) != orphan


def test_given_a_killed_command_when_strays_are_ended_then_supervised_processes_stay(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    kept = run(supervisor, Program("idle", IDLE))
    stray = psutil.Popen(IDLE, env={**os.environ, "LYCEUM_STACK": str(tmp_path)})
    supervisor.end_strays()
    assert stray.wait(WAIT_S) != 0
    assert supervisor.state("idle").pid == kept


def test_given_a_process_that_ignores_term_when_leftovers_are_ended_then_it_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lyceum_local.leftovers.TERM_WAIT_S", 0.2)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"
    environment = {**os.environ, "LYCEUM_STACK": str(tmp_path)}
    process = psutil.Popen([sys.executable, "-c", deaf], env=environment, stdout=-1)
    process.stdout.readline()
    assert end_leftovers(tmp_path) == 1
    assert not psutil.pid_exists(process.pid)


def test_given_a_stopped_supervisor_when_it_is_stopped_again_then_nothing_is_left(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    supervisor.ensure_running()
    run(supervisor, Program("idle", IDLE))
    supervisor.shutdown()
    supervisor.shutdown()
    assert marked(tmp_path) == []
    with pytest.raises(NotRunning):
        supervisor.states()
