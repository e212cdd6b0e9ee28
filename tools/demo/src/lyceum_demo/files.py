"""Writes the community as CSV files for the importer."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from lyceum_cli.importing.columns import COLUMNS, Kind
from lyceum_cli.importing.reading import Source
from lyceum_cli.importing.rows import instant
from lyceum_demo import community as made
from lyceum_demo.community import BEGINNING, CREATORS, Community
from lyceum_demo.reading import Film, Purchase, Rating


def write(folder: Path, community: Community, creator_id: str) -> list[Source]:
    """Write all four files, and return them as sources for the importer. `creator_id` earns from the orders."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[Kind, Iterable[dict[str, object]]] = {
        "members": [*map(_creator, range(1, CREATORS + 1)), *map(_member, community.members.items())],
        "contents": map(_content, community.films),
        "interactions": map(_interaction, community.ratings),
        "orders": (_order(purchase, creator_id) for purchase in community.imported),
    }
    return [_written(folder, kind, found) for kind, found in rows.items()]


def _written(folder: Path, kind: Kind, rows: Iterable[dict[str, object]]) -> Source:
    path = folder / f"{kind}.csv"
    columns: Sequence[str] = COLUMNS[kind].all
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return Source(kind, path)


def _creator(number: int) -> dict[str, object]:
    name = f"creator{number}"
    return {"external_id": name, "username": name, "role": "creator", "registered_at": instant(BEGINNING)}


def _member(member: tuple[int, datetime]) -> dict[str, object]:
    number, registered_at = member
    return {
        "external_id": number,
        "username": f"member{number}",
        "role": "consumer",
        "registered_at": instant(registered_at),
    }


def _content(film: Film) -> dict[str, object]:
    creator = f"creator{(film.number - 1) % CREATORS + 1}"
    return {
        "external_id": film.number,
        "creator_external_id": creator,
        "title": film.title,
        "kind": "video",
        "tags": "|".join(film.genres),
        "access": "free",
        "published_at": instant(BEGINNING),
    }


def _interaction(rating: Rating) -> dict[str, object]:
    return {
        "external_id": rating.line,
        "member_external_id": rating.member,
        "content_external_id": rating.item,
        "kind": "rate",
        "rating": rating.rating,
        "occurred_at": instant(rating.at),
    }


def _order(purchase: Purchase, creator_id: str) -> dict[str, object]:
    return {
        "external_id": purchase.line,
        "member_external_id": purchase.member,
        "product_id": made.PRODUCT,
        "creator_id": creator_id,
        "list_minor": made.list_minor(purchase),
        "charged_minor": purchase.charged_minor,
        "currency": made.CURRENCY,
        "promotion_id": made.IMPORTED_PROMOTION if made.promoted(purchase) else "",
        "ordered_at": instant(purchase.at),
    }
