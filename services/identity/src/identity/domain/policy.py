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


def check_username(username: str) -> str:
    """The username, if it is valid. Raises `InvalidInput`."""
    if not USERNAME.fullmatch(username):
        raise InvalidInput("must have 3 to 32 letters, digits, _, - or Han characters", field="username")
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
