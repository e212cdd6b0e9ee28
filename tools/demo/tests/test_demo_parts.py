"""Fetching by hash, matching orders on a second run, comparing, taking over accounts."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zipfile
from datetime import date
from pathlib import Path

import httpx
import pytest
from fake_gateway import LOG_IN, over
from rich.console import Console

from lyceum_cli.errors import Refused
from lyceum_demo import accounts, fetching
from lyceum_demo.accounts import Claims
from lyceum_demo.buying import Placed, matched
from lyceum_demo.comparing import compare
from lyceum_demo.errors import CodeMissing, InputDamaged, InputNotFetched
from lyceum_demo.reading import Purchase
from lyceum_demo.showing import tables


def bought(line: int, charged_minor: int = 100) -> Purchase:
    return Purchase(line, 1, date(1997, 1, 1), charged_minor)


def test_given_no_earlier_orders_then_everything_is_to_be_bought() -> None:
    assert matched([bought(1), bought(2)], {}) == [(bought(1), None), (bought(2), None)]


def test_given_earlier_orders_then_equal_purchases_take_one_each_and_promoted_ones_are_apart() -> None:
    """Line 5 is promoted: its list is 300, as that of line 6 without a promotion."""
    wanted = [bought(1), bought(2), bought(5), bought(6, 300)]
    known = {(100, False): [Placed("a", True)], (300, True): [Placed("b", False)]}
    found = [placed for _, placed in matched(wanted, known)]
    assert found == [Placed("a", True), None, Placed("b", False), None]


@pytest.mark.parametrize(
    ("ours", "theirs", "equal"),
    [
        (1, 1, True),
        (1, 2, False),
        (1, 1.0, False),
        (0.1 + 0.2, 0.3, True),
        (1.0, 1.0 + 1e-8, False),
        ("a", "b", False),
        (0.0, 0.0, True),
    ],
)
def test_integers_are_compared_exactly_and_floats_within_the_bound(ours: object, theirs: object, equal: bool) -> None:
    assert [one.equal for one in compare({"x": ours}, {"x": theirs})] == [equal]


def test_given_a_figure_that_one_side_lacks_then_it_differs() -> None:
    found = compare({"a": {"b": 1}}, {"a": {"c": [1]}})
    assert [(one.name, one.equal) for one in found] == [("a / b", False), ("a / c / 1", False)]


def test_given_another_order_of_recommendations_then_it_differs() -> None:
    ours, theirs = ([{"content_id": one} for one in ids] for ids in ("ab", "ba"))
    assert not any(one.equal for one in compare({"r": ours}, {"r": theirs}))


def test_a_line_of_the_tables_differs_when_any_of_its_figures_does() -> None:
    compared = compare(
        {"ledger": {"fees": {"debit_minor": 1, "postings": 2}}}, {"ledger": {"fees": {"debit_minor": 1, "postings": 3}}}
    )
    console = Console(file=io.StringIO(), width=120)
    for table in tables(compared):
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().count("DIFFERS") == 1


def wheel(folder: Path, name: str, files: dict[str, str]) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return hashlib.sha256((folder / name).read_bytes()).hexdigest()


@pytest.fixture
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with both wheels in it, pinned as they are."""
    folder = tmp_path / "inputs"
    first = wheel(folder, "lifetimes.whl", {"lifetimes/datasets/CDNOW_sample.txt": "sample"})
    ratings = {f"recbole/dataset_example/ml-100k/ml-100k.{name}": name for name in ("inter", "item")}
    second = wheel(folder, "recbole.whl", ratings)
    requirements = tmp_path / "inputs.txt"
    requirements.write_text(f"# both\nlifetimes==0.11.3 --hash=sha256:{first}\nrecbole==1.2.1 --hash=sha256:{second}\n")
    monkeypatch.setattr(fetching, "REQUIREMENTS", requirements)
    return tmp_path


def test_given_cached_wheels_then_the_files_come_out_without_a_download(
    pinned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_download", lambda folder: pytest.fail("downloaded"))
    found = fetching.fetch(pinned, full=False)
    assert [path.read_text() for path in (found.purchases, found.ratings, found.items)] == ["sample", "inter", "item"]


def test_given_a_damaged_wheel_that_comes_no_better_then_that_is_said(
    pinned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pinned / "inputs" / "recbole.whl").write_bytes(b"half")
    monkeypatch.setattr(fetching, "_download", lambda folder: None)
    with pytest.raises(InputDamaged, match="recbole=="):
        fetching.fetch(pinned, full=False)


def test_given_no_such_package_then_the_download_says_why(pinned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requirements = pinned / "bad.txt"
    requirements.write_text("not a requirement --hash=sha256:00\n")
    monkeypatch.setattr(fetching, "REQUIREMENTS", requirements)
    with pytest.raises(InputNotFetched, match="requirement"):
        fetching._download(pinned / "empty")


def test_the_real_pins_name_both_packages_with_their_hashes() -> None:
    found = fetching.pins(fetching.REQUIREMENTS.read_text())
    assert [one.package for one in found] == ["lifetimes==0.11.3", "recbole==1.2.1"]
    assert all(len(one.sha256) == 64 for one in found)


class Identity:
    """Log-in is refused until the account has been claimed with code 42, delivered a moment after the answer."""

    def __init__(self, spool: Path) -> None:
        self.spool = spool
        self.claimed = False
        self.issued = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        match request.url.path:
            case "/v1/sessions":
                return httpx.Response(200, json=LOG_IN) if self.claimed else httpx.Response(401, json={"code": 16})
            case "/v1/members:issueClaimCode":
                self.issued += 1
                if self.spool.parent.exists():
                    asyncio.get_running_loop().call_later(0.05, self._deliver)
            case "/v1/members:claim":
                assert (body["code"], body["password"]) == ("42", "secret")
                self.claimed = True
        return httpx.Response(200, json={"message": "ok"})

    def _deliver(self) -> None:
        with self.spool.open("a") as spool:
            spool.write(json.dumps({"username": "member7", "code": "42"}) + "\n")


async def test_given_an_unclaimed_account_then_it_is_claimed_with_the_newest_code_and_only_once(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text(json.dumps({"username": "member7", "code": "41"}) + "\n")
    identity, shown = Identity(tmp_path / "spool"), []
    claims = Claims(tmp_path / "spool", "secret", lambda username, code: shown.append((username, code)))
    await claims.log_in(over(identity), "member7")
    await claims.log_in(over(identity), "member7")
    assert (identity.issued, shown) == (1, [("member7", "42")])


async def test_given_no_code_then_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "CODE_WAIT_S", 0.1)
    claims = Claims(tmp_path / "no" / "spool", "secret", lambda username, code: None)
    with pytest.raises(CodeMissing, match="member7"):
        await claims.log_in(over(Identity(tmp_path / "no" / "spool")), "member7")


async def test_given_another_refusal_than_a_wrong_password_then_nothing_is_claimed(tmp_path: Path) -> None:
    claims = Claims(tmp_path / "spool", "secret", lambda username, code: None)
    with pytest.raises(Refused, match="too short"):
        await claims.log_in(
            over(lambda request: httpx.Response(400, json={"code": 3, "message": "too short"})), "member7"
        )
