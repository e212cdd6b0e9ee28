"""A typed client of Lyceum's gateway. Begin with `Lyceum`; see the README."""

from lyceum_client.calling import Answer, How
from lyceum_client.client import Lyceum
from lyceum_client.errors import LyceumError, NoAnswer, Refused
from lyceum_client.waiting import until

__all__ = ["Answer", "How", "Lyceum", "LyceumError", "NoAnswer", "Refused", "until"]
