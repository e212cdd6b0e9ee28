"""The faults of the whole product. Each returns at the moment when an operator would begin to repair."""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eventfold.publish.brokers import Brokers
from eventfold.publish.topics import administrator
from lyceum_local.settings import SERVICES
from tests.faults.keeper import until
from tests.faults.stack import restores
from tests.faults.stack.archive import archived
from tests.faults.stack.product import PARTS, PREFIX, Product

BEHIND_S = (2.0, 8.0)
FULL_S = (5.0, 20.0)
AFTER_BACKUP_ACTS, AFTER_BACKUP_S = 20, 60.0
STOP_S = 30.0
CLEAN_MARK = ".kafka_cleanshutdown"


@dataclass(slots=True)
class Done:
    """A fault that was done, and its victim. `rewound` are the services whose store was restored to an earlier point:
    each needs `recover`."""

    victim: str
    rewound: tuple[str, ...] = ()
    notes: dict[str, Any] = field(default_factory=dict)


Inflict = Callable[[Product, random.Random], Done]


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table. `cheap` kinds are tried once in every test run; kinds with `needs_disks` need disks whose
    power can be cut."""

    name: str
    trials: int
    about_s: float
    inflict: Inflict
    cheap: bool = False
    needs_disks: bool = False


def power_loss(*parts: str) -> Inflict:
    """The disks lose unsynced data. If both lose power, the machine's processes are killed; if one does, only the
    process that used it."""

    def inflict(product: Product, rng: random.Random) -> Done:
        notes = _leave_behind(product, rng)
        product.cut_power(parts)
        if len(parts) == len(PARTS):
            product.kill_everything()
        else:
            product.stop_dead(parts[0])
        product.give_power(parts)
        return Done(" ".join(parts), notes=notes)

    return inflict


def _leave_behind(product: Product, rng: random.Random) -> dict[str, Any]:
    """In half of the trials workers stand still for a while before the fault, so that they lag behind."""
    behind_s = rng.choice([0.0, rng.uniform(*BEHIND_S)])
    for service in SERVICES if behind_s else ():
        product.stack.stop(f"{service}-work")
    time.sleep(behind_s)
    return {"workers_behind_s": round(behind_s, 1)}


def cut_segment(product: Product, rng: random.Random) -> Done:
    """Cut the end of one partition's newest segment while the broker is down, as if it had not been synced."""
    product.stack.stop("kafka")
    logs = product.data("kafka") / "logs"
    segments = [file for file in logs.glob(f"{PREFIX}lyceum.*-*/*.log") if file.stat().st_size]
    segment = max(rng.sample(segments, min(3, len(segments))), key=lambda file: file.stat().st_size)
    size = segment.stat().st_size
    kept = rng.randrange(size)
    with segment.open("r+b") as file:
        file.truncate(kept)
    (logs / CLEAN_MARK).unlink(missing_ok=True)
    return Done(segment.parent.name, notes={"bytes": size, "kept": kept})


def emptied_broker(product: Product, rng: random.Random) -> Done:
    """Remove all of Kafka's files."""
    product.stack.stop("kafka")
    _remove(product.stack.data_dir / "kafka")
    return Done("kafka")


def _remove(place: Path) -> None:
    target = place.resolve()
    if place.is_symlink():
        place.unlink()
    shutil.rmtree(target)


def deleted_topic(product: Product, rng: random.Random) -> Done:
    """Delete a topic while everything runs."""
    topic = rng.choice(asyncio.run(_delete(product.stack.brokers, rng)))
    return Done(topic)


async def _delete(brokers: Brokers, rng: random.Random) -> list[str]:
    async with administrator(brokers) as admin:
        names = sorted(name for name in await admin.list_topics() if name.startswith(f"{PREFIX}lyceum."))
        chosen = rng.choice(names)
        await admin.delete_topics([chosen])
        return [chosen]


def restored(services: tuple[str, ...], how: restores.Way) -> Inflict:
    """A backup is taken, work goes on, and the backup is restored: later events are lost in these services, and only
    there."""

    def inflict(product: Product, rng: random.Random) -> Done:
        undone = restores.rewind(product, services, how, rng)
        emitting = tuple(one for one in services if one in restores.ACTING)
        return Done(" ".join(services), emitting, {"undone": undone})

    return inflict


def point_in_time(product: Product, rng: random.Random) -> Done:
    """From a base backup and the archived WAL everything comes back as of a moment; what followed it is gone."""
    with archived(product) as archive:
        since = len(product.load.journal.acts)
        product.load.go()
        until(lambda: len(product.load.journal.acts) >= since + AFTER_BACKUP_ACTS, AFTER_BACKUP_S)
        undone = restores.rewind(product, SERVICES, archive.back_to_now, rng)
    return Done("all", tuple(one for one in SERVICES if one in restores.ACTING), {"undone": undone})


def full_disk(part: str) -> Inflict:
    """Nothing more fits on the disk of `part` for a while; then there is space again."""

    def inflict(product: Product, rng: random.Random) -> Done:
        full_s = rng.uniform(*FULL_S)
        with product.disks[part].filled():
            time.sleep(full_s)
        return Done(part, notes={"full_s": round(full_s, 1)})

    return inflict


KINDS = (
    Kind("power-loss", 10, 75.0, power_loss(*PARTS), needs_disks=True),
    Kind("power-loss-kafka", 10, 60.0, power_loss("kafka"), needs_disks=True),
    Kind("power-loss-postgres", 10, 60.0, power_loss("postgres"), needs_disks=True),
    Kind("cut-segment", 10, 45.0, cut_segment, cheap=True),
    Kind("emptied-broker", 10, 60.0, emptied_broker),
    Kind("deleted-topic", 10, 45.0, deleted_topic),
    *(Kind(f"restored-{one}", 5, 75.0, restored((one,), restores.dump_and_restore)) for one in SERVICES),
    Kind("restored-files", 5, 120.0, restored(SERVICES, restores.copy_of_the_files)),
    Kind("point-in-time", 5, 120.0, point_in_time),
    Kind("full-disk-kafka", 5, 90.0, full_disk("kafka"), needs_disks=True),
    Kind("full-disk-postgres", 5, 90.0, full_disk("postgres"), needs_disks=True),
    Kind("promoted-laggard", 5, 120.0, restored(SERVICES, restores.promoted_laggard)),
)
