"""How the register writes dates and texts, and how they are told."""

import re

_MONTH = re.compile(r"\d{4}-\d{2}")
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(T.*)?", re.DOTALL)
_CLOSING = re.compile(r"(\d{2})(\d{2})", re.ASCII)


def calendar_date(text: str | None) -> str | None:
    """The date that is written, whatever its hour and zone; a month by its first day, and anything else as it is."""
    if text is None or not text.strip():
        return None
    if _MONTH.fullmatch(text):
        return f"{text}-01"
    found = _DATE.fullmatch(text)
    return found[1] if found else text


def day_and_month(text: str | None) -> str | None:
    """Day and month, told month first; anything else as it is."""
    found = _CLOSING.fullmatch(text or "")
    return f"{found[2]}-{found[1]}" if found else text


def text_or_none(text: str | None) -> str | None:
    """A text that says something."""
    return text if text and text.strip() else None


def upper(text: str | None) -> str | None:
    """A text in capitals."""
    return None if text is None else text.upper()
