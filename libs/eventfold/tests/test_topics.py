"""Topics are refused where nobody can tell that they keep their history."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import BrokerResponseError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from eventfold.errors import TopicMisconfigured
from eventfold.publish import topics


class Refusing:
    """A broker that lets topics be described and their configuration not."""

    def __init__(self, error: type[BrokerResponseError]) -> None:
        self._error = error

    async def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        return [{"topic": name, "partitions": [{}] * 4} for name in names]

    async def describe_configs(self, resources: list[Any]) -> list[Any]:
        refused: list[Any] = [(self._error.errno, "denied", 2, one.name, []) for one in resources]
        return [SimpleNamespace(resources=refused)]


async def test_a_topic_whose_configuration_may_not_be_read_does_not_pass_for_a_good_one() -> None:
    admin: Any = Refusing(TopicAuthorizationFailedError)
    with pytest.raises(TopicMisconfigured, match="topic one: cannot be examined: TopicAuthorizationFailedError denied"):
        await topics._check(admin, ["one"], 4)


async def test_a_topic_that_was_made_a_moment_ago_need_not_be_known_to_every_broker() -> None:
    admin: Any = Refusing(UnknownTopicOrPartitionError)
    await topics._check(admin, ["one"], 4)
