"""What can go wrong with images, each as one sentence for the person who typed the command."""

from __future__ import annotations

from collections.abc import Sequence


class ImagesError(Exception):
    """A sentence for the person who typed the command."""


class NoEngine(ImagesError):
    """No program that builds or runs images answers."""

    def __init__(self, wanted: str) -> None:
        super().__init__(
            f"no container engine answers that can {wanted}: start Docker (`docker version` must name a server; "
            "DOCKER_HOST names another address)" + ("" if wanted == "run images" else ", or install buildah")
        )


class CommandFailed(ImagesError):
    """A command of the engine ended with another status than 0. Carries what it said."""

    def __init__(self, command: Sequence[str], status: int, said: str) -> None:
        super().__init__(f"`{' '.join(command[:4])} …` ended with {status}: {said.strip()[-2000:]}")
        self.status = status
        self.said = said


class NoSuchImage(ImagesError):
    """ONLY names an image that the tree does not have."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"the tree has no image {name}: it has {', '.join(known)}")


class NotBuilt(ImagesError):
    """Images that are to be looked at or started do not exist."""

    def __init__(self, references: Sequence[str]) -> None:
        super().__init__(f"not built yet: {', '.join(references)}; run `make images`")


class Unfit(ImagesError):
    """Something that was looked at is not as it must be. Carries each finding."""

    def __init__(self, findings: Sequence[str]) -> None:
        super().__init__("\n".join(findings))
        self.findings = tuple(findings)
