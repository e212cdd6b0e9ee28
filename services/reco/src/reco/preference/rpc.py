"""Preferences over gRPC."""

from __future__ import annotations

from typing import Any, Final

from lyceum.reco.v1 import reco_pb2 as pb
from reco.preference import parsing
from reco.preference.application import Preferring
from servicekit.call import current_call
from servicekit.policy import Policies, Policy

POLICIES: Final[Policies] = {
    "GiveFeedback": Policy("command", reads=("factors",), idempotent=True),
    "SetPreferences": Policy("command", idempotent=True),
}


class PreferenceRpcs:
    """Say something about content, or about recommendations as a whole."""

    def __init__(self, preferring: Preferring) -> None:
        self._preferring = preferring

    async def GiveFeedback(self, request: pb.GiveFeedbackRequest, context: Any) -> pb.GiveFeedbackResponse:
        """About one content, by the caller."""
        call = current_call()
        content_id, command = parsing.feedback(request)
        member_id = call.require_caller().member_id
        handled = await self._preferring.mark(member_id, content_id, command, call.context(), call.idempotency(request))
        return pb.GiveFeedbackResponse(consistency_token=await call.recorded(handled.position))

    async def SetPreferences(self, request: pb.SetPreferencesRequest, context: Any) -> pb.SetPreferencesResponse:
        """The caller's own."""
        call = current_call()
        commands = parsing.preferences(request)
        member_id = call.require_caller().member_id
        handled = await self._preferring.choose(member_id, commands, call.context(), call.idempotency(request))
        return pb.SetPreferencesResponse(consistency_token=await call.recorded(handled.position))
