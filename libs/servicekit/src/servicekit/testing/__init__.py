"""For tests of services: a service wired by its own bootstrap over a real PostgreSQL, without its network edge."""

from servicekit.testing.house import House, housed
from servicekit.testing.parts import Answering, Delivered, NoAvro, migrated, refused

__all__ = ["Answering", "Delivered", "House", "NoAvro", "housed", "migrated", "refused"]
