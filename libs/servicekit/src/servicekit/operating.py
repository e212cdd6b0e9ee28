"""Turns a service's definition and environment into the `Deployment` for the operators' command `eventfold`."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from contracts.registry import avro_codec
from eventfold import FoldGroup
from eventfold.publish.publisher import Publisher
from eventfold.sealing.keys import KeyEncryptionKey
from eventfold_ops.deployment import Deployment
from servicekit.definition import ServiceDefinition
from servicekit.key_commands import kek_ring
from servicekit.settings import ServiceSettings


class NoSuchGroup(ValueError):
    """FOLD_GROUPS names a group that the service does not have."""

    def __init__(self, unknown: Sequence[str], known: Sequence[str]) -> None:
        super().__init__(f"FOLD_GROUPS: there is no {', '.join(unknown)}; the service has {', '.join(known) or 'none'}")


def group_of(definition: ServiceDefinition, settings: ServiceSettings) -> str:
    """The consumer group of the service's workers. Workers that run only some groups of folds have a group of their
    own."""
    some = [name for name in settings.fold_groups.replace(" ", "").split(",") if name]
    return f"{settings.group_prefix or settings.topic_prefix}{consumer_group(definition.name, some)}"


def consumer_group(service: str, fold_groups: Sequence[str] = ()) -> str:
    """The consumer group, without prefix, of the workers of these groups of folds; of none, of all of them."""
    return ".".join(["lyceum", service, *(["-".join(fold_groups)] if fold_groups else [])])


def groups_of(definition: ServiceDefinition, settings: ServiceSettings) -> tuple[FoldGroup, ...]:
    """The groups of folds that a worker runs, in the service's order. Raises `NoSuchGroup`."""
    wanted = {name.strip() for name in settings.fold_groups.split(",") if name.strip()}
    known = {group.name for group in definition.groups}
    if wanted - known:
        raise NoSuchGroup(sorted(wanted - known), sorted(known))
    return tuple(group for group in definition.groups if not wanted or group.name in wanted)


def deployment_of(definition: ServiceDefinition) -> Deployment:
    """The service as its environment describes it. Raises pydantic's error if settings are missing."""
    settings = definition.settings()
    avro = avro_codec(settings.schema_registry_url)
    return Deployment(
        name=definition.name,
        database_url=settings.database_url,
        brokers=settings.brokers,
        group=group_of(definition, settings),
        relay_name=definition.relay_name,
        codec=definition.codec,
        avro=avro,
        publisher=Publisher(definition.source, definition.to_public, avro, settings.topic_prefix),
        topics=definition.topics,
        groups=definition.groups,
        topic_prefix=settings.topic_prefix,
        topic_partitions=settings.topic_partitions,
        topic_replication=settings.topic_replication,
        current_kek_id=lambda: kek_id_in(settings.key_dir),
        known_kek_ids=lambda: kek_ids_in(settings.key_dir),
        build=build_of(definition),
    )


def build_of(definition: ServiceDefinition) -> str:
    """A digest of the modules of the package that holds `to_public`. It changes with the service's own code."""
    module = Path(inspect.getfile(definition.to_public))
    packages = list(takewhile(lambda folder: (folder / "__init__.py").exists(), module.parents))
    root, files = (packages[-1], packages[-1].rglob("*.py")) if packages else (module.parent, [module])
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.relative_to(root)} {file.stat().st_size} ".encode() + file.read_bytes())
    return digest.hexdigest()


def kek_id_in(key_dir: Path) -> str | None:
    """The id of the key-encryption key in `key_dir`; None if there is none. Makes no key."""
    file = key_dir / "kek.pem"
    return KeyEncryptionKey.from_pem(file.read_bytes()).id if file.is_file() else None


def kek_ids_in(key_dir: Path) -> frozenset[str]:
    """The ids of all key-encryption keys in `key_dir`: the current, the next and old ones. Makes no key."""
    return frozenset(KeyEncryptionKey.from_pem(key.content).id for key in kek_ring(key_dir).stored())
