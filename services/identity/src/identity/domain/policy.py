"""Rules for usernames, contacts and passwords."""

from __future__ import annotations

import re
from collections.abc import Container

from eventfold.errors import InvalidInput

USERNAME = re.compile(r"[A-Za-z0-9_\-\u4e00-\u9fff]{3,32}")
EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
PHONE = re.compile(r"\+?[0-9]{5,20}")
MIN_PASSWORD_CHARS = 8
MAX_PASSWORD_CHARS = 128


_RESERVED = """
admin administrator root system sysadmin superuser support help helpdesk service staff official operator moderator mod
security abuse postmaster webmaster hostmaster info billing payment payments lyceum importer auditor null undefined
anonymous everyone nobody
管理员 系统管理员 超级管理员 系统消息 官方 官方客服 官方账号 客服 客服中心 平台 运营 版主 财务 审计员 匿名
"""
RESERVED = frozenset(_RESERVED.split())
"""Names that would be taken for the platform's own."""
_SIGNS = str.maketrans("", "", "_-")
_AS_READ = (str.maketrans("0135", "oles"), str.maketrans("0135", "oies"))


def check_username(username: str) -> str:
    """The username, if it is valid. Raises `InvalidInput`."""
    if not USERNAME.fullmatch(username):
        raise InvalidInput("must have 3 to 32 letters, digits, _, - or Han characters", field="username")
    if not username.translate(_SIGNS):
        raise InvalidInput("must have a letter or digit 用户名须含字母、数字或汉字", field="username")
    return username


def check_new_username(username: str) -> str:
    """A username that a member may take: none that looks like the platform's own. Raises `InvalidInput`."""
    bare = canonical(check_username(username)).translate(_SIGNS)
    if RESERVED & {bare, *(bare.translate(signs) for signs in _AS_READ)}:
        raise InvalidInput("is reserved 该用户名已保留", field="username")
    return username


def canonical(username: str) -> str:
    """The form in which usernames are compared."""
    return username.casefold()


def check_contact(email: str | None, phone: str | None) -> None:
    """Raise `InvalidInput` if the e-mail address or phone number is malformed."""
    if email is not None and not EMAIL.fullmatch(email):
        raise InvalidInput("is not an e-mail address", field="email")
    if phone is not None and not PHONE.fullmatch(phone):
        raise InvalidInput("must have 5 to 20 digits", field="phone")


def check_password(password: str, username: str, common: Container[str]) -> str:
    """The password, if it is allowed. Raises `InvalidInput`.

    Length bounds always apply; `common` holds passwords that production refuses (empty elsewhere). ASVS 5.0 6.2.1,
    6.2.4, 6.2.5, 6.2.9: at least 8 characters, no composition rules, none of the most used passwords.
    """
    if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
        raise InvalidInput(
            f"must have {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters 密码长度须为 8 至 128 个字符",
            field="password",
        )
    if password.casefold() in common:
        raise InvalidInput(
            "is among the most used passwords, which attackers try first 该密码过于常见", field="password"
        )
    if canonical(username) in password.casefold():
        raise InvalidInput("must not contain the username 密码不得包含用户名", field="password")
    return password
