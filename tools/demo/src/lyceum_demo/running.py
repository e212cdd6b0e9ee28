"""The demonstration, stage by stage, on a running stack."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from rich.console import Console

from lyceum_cli.gateway import Gateway
from lyceum_cli.importing import settling
from lyceum_cli.importing.columns import COLUMNS
from lyceum_cli.importing.gathering import gather
from lyceum_cli.importing.plan import MAX_BATCH_ITEMS, batches
from lyceum_cli.importing.progress import Bars
from lyceum_cli.importing.reading import Source
from lyceum_cli.importing.running import Imported, Order, run
from lyceum_cli.reporting import as_table, remarks
from lyceum_demo import accounts, asking, community, fetching, files, oracle, reading, selling
from lyceum_demo.buying import Buyers
from lyceum_demo.comparing import Compared, compare
from lyceum_demo.errors import CommandFailed, OtherSlice, RowsRejected
from lyceum_demo.showing import Stages, bar, recommended
from lyceum_local.stack import LocalStack

CODES_SHOWN: Final = 3
ORACLE_TIMEOUT_S: Final = 300.0
FOLDER: Final = "demo"
"""In the stack's data folder."""
DASHBOARD_DAYS: Final = 365
"""The window that the dashboard begins with, as that of the figures below."""


@dataclass(frozen=True)
class Slice:
    """The part of the input that is used."""

    name: str
    full: bool
    first_ratings: int

    @property
    def dataset(self) -> str:
        """Name of the data set in the import."""
        return f"demo-{self.name}"


SAMPLE: Final = Slice("sample", full=False, first_ratings=community.RATINGS_SLICE)
FULL: Final = Slice("full", full=True, first_ratings=0)


def look_file(stack: LocalStack) -> Path:
    """Holds the query of the dashboard's address once the demonstration has read its input."""
    return stack.data_dir / FOLDER / "look"


class Demonstration:
    """Runs one slice on one stack, and prints its progress on `console`."""

    def __init__(self, stack: LocalStack, taken: Slice, console: Console) -> None:
        self._stack = stack
        self._taken = taken
        self._console = console
        self._folder = stack.data_dir / FOLDER
        self.stages = Stages(console)

    async def run(self) -> list[Compared]:
        """Run all stages; returns both sides of every figure. Raises `DemoError` or `CliError`."""
        self._require_slice()
        with self.stages.stage("fetch"):
            inputs = fetching.fetch(self._stack.settings.cache_dir, full=self._taken.full)
            for note in (fetching.RATINGS_NOTE, fetching.PURCHASES_NOTE):
                self._console.print(f"[dim]{note}[/dim]", highlight=False)
        with self.stages.stage("read"):
            made = self._community(inputs)
        self._tell(made)
        self._remember_look(made)
        async with (
            Gateway(self._stack.around.public_url) as importer,
            Gateway(self._stack.around.public_url) as creator,
        ):
            with self.stages.stage("accounts"):
                await self._accounts(importer, creator)
            with self.stages.stage("write"):
                sources = files.write(self._folder, made, creator.member_id)
            with self.stages.stage("import"):
                imported = await self._import(importer, sources)
            self._console.print(as_table(imported))
            self._console.print("; ".join(remarks(imported)), highlight=False)
            with self.stages.stage("live orders"):
                await self._buy(creator, made)
            with self.stages.stage("settle"):
                await self._settle(importer, sources)
            with self.stages.stage("ask"):
                answers = await asking.ask(importer, self._taken.dataset, made.as_of, made.asked)
                learned = await asking.learned(importer, self._taken.dataset, made.asked)
        self._console.print(recommended(learned))
        with self.stages.stage("oracle"):
            return compare(answers, self._oracle(inputs))

    def _require_slice(self) -> None:
        marker = self._folder / "slice"
        found = marker.read_text() if marker.exists() else self._taken.name
        if found != self._taken.name:
            raise OtherSlice(found, self._taken.name, self._stack.data_dir)
        self._folder.mkdir(parents=True, exist_ok=True)
        marker.write_text(found)

    def _community(self, inputs: fetching.Inputs) -> community.Community:
        ratings = reading.ratings(inputs.ratings, self._taken.first_ratings or None)
        return community.community(reading.purchases(inputs.purchases), ratings, reading.films(inputs.items))

    def _tell(self, made: community.Community) -> None:
        which = "the customer's number in the " + ("master file" if self._taken.full else "sample")
        self._console.print(
            f"{len(made.members):,} members, {len(made.films):,} items, {len(made.ratings):,} ratings, "
            f"{len(made.imported):,} orders to import, {len(made.live):,} to place live. Member k is {which} and user "
            f"k of the ratings: two data sets, one community. Every 5th line of the purchases bears a promotion: list "
            f"price 2.00 above what was charged.",
            highlight=False,
        )

    def _remember_look(self, made: community.Community) -> None:
        """What the dashboard has to look at to show these figures, for who opens it later."""
        choices = {"days": DASHBOARD_DAYS, "as_of": made.as_of.date().isoformat(), "currency": community.CURRENCY}
        look_file(self._stack).write_text(f"?{urlencode(choices)}")

    async def _accounts(self, importer: Gateway, creator: Gateway) -> None:
        accounts.create_importer(self._stack)
        await importer.log_in(accounts.IMPORTER, self._stack.secrets.password(accounts.IMPORTER))
        await accounts.log_in_creator(creator, self._stack.secrets.password(accounts.CREATOR))
        await selling.open_shop(creator, self._taken.dataset)

    async def _import(self, importer: Gateway, sources: Sequence[Source]) -> Imported:
        rejects, state = self._folder / "rejects", self._folder / "import-state.json"
        order = Order(
            gateway=self._stack.around.public_url,
            dataset=self._taken.dataset,
            sources=sources,
            rejects=rejects,
            state=state,
        )
        with Bars(Console(stderr=True)) as bars:
            imported = await run(importer, order, bars)
        if imported.rejected:
            raise RowsRejected(imported.rejected, rejects)
        return imported

    async def _buy(self, creator: Gateway, made: community.Community) -> None:
        promotion_id = await selling.schedule_promotion(creator, datetime.now(UTC))
        spool = self._stack.around.key_dir("identity") / accounts.SPOOL
        claims = accounts.Claims(spool, self._stack.secrets.password(accounts.MEMBERS), self._code_shown())
        with bar(Console(stderr=True)) as progress:
            task = progress.add_task("live orders", total=len(made.live))
            told = lambda: progress.advance(task)  # noqa: E731
            await Buyers(
                gateway=creator, claims=claims, promotion_id=promotion_id, dataset=self._taken.dataset, told=told
            ).buy(made.live)

    def _code_shown(self) -> Callable[[str, str], None]:
        """Prints the first one-time codes that arrive."""
        left = iter(range(CODES_SHOWN))

        def shown(username: str, code: str) -> None:
            if next(left, None) is not None:
                self._console.print(f"one-time code for {username}: {code}", highlight=False)

        return shown

    async def _settle(self, importer: Gateway, sources: Sequence[Source]) -> None:
        """Wait until every projection of every service has passed all events. The token comes from importing orders
        that all exist already: it covers everything before it, including the live orders."""
        orders = [source for source in sources if source.kind == "orders"]
        known = batches(gather(orders).items, MAX_BATCH_ITEMS)[0]
        body: dict[str, Any] = {"dataset": self._taken.dataset, "items": [one.body for one in known.items]}
        answer = await importer.post(COLUMNS["orders"].path, body)
        await settling.settle(importer, [answer.token])

    def _oracle(self, inputs: fetching.Inputs) -> dict[str, Any]:
        command = [
            sys.executable,
            str(Path(oracle.__file__)),
            "--purchases",
            str(inputs.purchases),
            "--ratings",
            str(inputs.ratings),
            "--items",
            str(inputs.items),
            "--dataset",
            self._taken.dataset,
            "--first-ratings",
            str(self._taken.first_ratings),
            "--live-orders",
            str(community.LIVE_ORDERS),
        ]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=ORACLE_TIMEOUT_S, check=False)
        if ran.returncode:
            raise CommandFailed("the oracle", ran.returncode, ran.stderr.strip())
        figures: dict[str, Any] = json.loads(ran.stdout)
        return figures
