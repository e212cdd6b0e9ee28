"""Reasons in words, in English and Chinese."""

from __future__ import annotations

from typing import Final, NamedTuple


class Words(NamedTuple):
    """The same sentence twice."""

    en: str
    zh: str


_BECAUSE: Final = {
    "finished": Words("Because you finished “{title}”", "因为你学完了《{title}》"),
    "bought": Words("Because you bought “{title}”", "因为你购买了《{title}》"),
    "seen": Words("Because you saw “{title}”", "因为你看过《{title}》"),
}
_REASONS: Final = {
    "similar": Words("Chosen by members who chose the same as you", "与你选择相同的成员也选择了它"),
    "followed": Words("What members often choose next", "成员们接下来常选的内容"),
    "members": Words("Chosen by members like you", "与你相似的成员选择了它"),
    "content": Words("Matches your interests", "符合你的兴趣"),
    "trending": Words("Much chosen these days", "近期热门"),
    "popular": Words("Chosen by many members", "许多成员的选择"),
    "exploring": Words("Something new for you", "为你带来一些新内容"),
}


def words(reason: str, because: str = "", title: str = "") -> Words:
    """The sentence of a reason; `because` (`finished`, `bought` or `seen`) and the title of that content if there is
    one. Raises KeyError for an unknown reason."""
    if because and title:
        return Words(*(sentence.format(title=title) for sentence in _BECAUSE[because]))
    return _REASONS[reason]
