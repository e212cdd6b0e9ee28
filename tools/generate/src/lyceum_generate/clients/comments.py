"""The comments of the protos, by the full name of what they describe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet

from lyceum_generate.stubs import generate_described

_MESSAGE, _SERVICE, _FIELD, _METHOD, _NESTED = 4, 6, 2, 2, 3
"""Numbers of the fields that the paths of a source location consist of (google/protobuf/descriptor.proto)."""

Path_ = tuple[int, ...]


def comments(protos: Path) -> dict[str, str]:
    """What stands above each message, field, service and RPC of ours."""
    told: dict[str, str] = {}
    for file in FileDescriptorSet.FromString(generate_described(protos)).file:
        if file.package.startswith("lyceum."):
            said = {tuple(one.path): one.leading_comments for one in file.source_code_info.location}
            told |= {name: _plain(said[path]) for path, name in _named(file) if said.get(path)}
    return told


def _named(file: FileDescriptorProto) -> Iterator[tuple[Path_, str]]:
    yield from _messages(file.message_type, (_MESSAGE,), file.package)
    for number, service in enumerate(file.service):
        name = f"{file.package}.{service.name}"
        yield (_SERVICE, number), name
        for at, method in enumerate(service.method):
            yield (_SERVICE, number, _METHOD, at), f"{name}.{method.name}"


def _messages(found: Sequence[DescriptorProto], above: Path_, package: str) -> Iterator[tuple[Path_, str]]:
    for number, message in enumerate(found):
        path, name = (*above, number), f"{package}.{message.name}"
        yield path, name
        for at, field in enumerate(message.field):
            yield (*path, _FIELD, at), f"{name}.{field.name}"
        yield from _messages(message.nested_type, (*path, _NESTED), name)


def _plain(comment: str) -> str:
    return " ".join(line.strip() for line in comment.strip().splitlines())
