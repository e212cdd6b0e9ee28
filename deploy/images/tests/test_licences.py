"""Which licences are accepted, and what is said of the others."""

from __future__ import annotations

import pytest

from lyceum_images.inventory import Part
from lyceum_images.licences import complaint, licence, policy

RULES = policy()


def part(*told: str, kind: str = "pypi", name: str = "one") -> Part:
    return Part(kind, name, "1.0", told)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        (["MIT"], "MIT"),
        (["MIT OR AGPL-3.0-only"], "MIT OR AGPL-3.0-only"),
        (["", "MIT License"], "MIT"),
        (["as you like", "Apache Software License"], "Apache-2.0"),
        (["MIT License AND Apache Software License"], "MIT AND Apache-2.0"),
    ],
)
def test_given_words_when_a_licence_is_read_then_it_is_an_spdx_expression(told: list[str], meant: str) -> None:
    assert licence(part(*told), RULES) == meant
    assert complaint(part(*told), RULES) == ""


@pytest.mark.parametrize(
    "told", ["AGPL-3.0-only", "SSPL-1.0", "GPL-3.0-or-later", "MIT AND AGPL-3.0-or-later", "AGPL-3.0-only OR SSPL-1.0"]
)
def test_given_a_licence_that_is_not_accepted_when_it_is_judged_then_it_is_refused(told: str) -> None:
    assert "not among the accepted licences" in complaint(part(told), RULES)


@pytest.mark.parametrize("told", [(), ("see the file",), ("UNKNOWN",)])
def test_given_no_clear_licence_when_it_is_judged_then_it_is_refused(told: tuple[str, ...]) -> None:
    assert "its licence is unknown" in complaint(part(*told), RULES)


def test_given_a_debian_package_when_it_is_judged_then_only_forbidden_and_absent_licences_are_refused() -> None:
    assert complaint(part("GPL-2+, GPL-3+", kind="deb"), RULES) == ""
    assert "AGPL is forbidden" in complaint(part("GPL-2+, AGPL-3", kind="deb"), RULES)
    assert "unknown" in complaint(part(kind="deb"), RULES)


def test_every_licence_that_a_person_read_has_a_reason_and_is_accepted() -> None:
    for name, told in RULES.read.items():
        assert len(told["reason"]) > 20
        assert complaint(part(name=name), RULES) == "", name
