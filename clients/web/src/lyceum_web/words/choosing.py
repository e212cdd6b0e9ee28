"""Which language a browser gets: what was chosen, else what it says that it prefers, else English."""

from __future__ import annotations

from typing import Final

from lyceum_web.words.tongue import LANGUAGES, Language, Tongue

MAX_PREFERENCES: Final = 32


def tongue_for(chosen: str, accepted: str) -> Tongue:
    """`chosen` is the cookie's value, `accepted` the header Accept-Language; both may be anything."""
    for language in LANGUAGES:
        if chosen == language:
            return Tongue(language)
    return Tongue(_preferred(accepted))


def _preferred(accepted: str) -> Language:
    best: Language = "en"
    best_weight = 0.0
    for preference in accepted.split(",")[:MAX_PREFERENCES]:
        tag, _, parameter = preference.strip().partition(";")
        weight = _weight(parameter)
        for language in LANGUAGES:
            if tag.strip().lower().split("-")[0] == language and weight > best_weight:
                best, best_weight = language, weight
    return best


def _weight(parameter: str) -> float:
    name, _, number = parameter.strip().partition("=")
    if not parameter.strip():
        return 1.0
    try:
        found = float(number) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0
    return found if 0.0 <= found <= 1.0 else 0.0
