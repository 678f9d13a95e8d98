"""Identifiers of the invented world: SIREN and SIRET valid by Luhn, RNA and VAT numbers that follow from the SIREN."""


def luhn_key(digits: str) -> str:
    """The digit that, put after these, makes a number valid by Luhn."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 if place % 2 else 2)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def is_luhn(number: str) -> bool:
    """Whether the last digit is the key of those before it."""
    return number.isascii() and number.isdigit() and luhn_key(number[:-1]) == number[-1]


def is_siren(text: str) -> bool:
    """Nine digits, valid by Luhn."""
    return len(text) == 9 and is_luhn(text)


def is_siret(text: str) -> bool:
    """Fourteen digits, valid by Luhn."""
    return len(text) == 14 and is_luhn(text)


def siren_of(first_eight: str) -> str:
    """The SIREN that begins with these eight digits."""
    return first_eight + luhn_key(first_eight)


def siret_of(siren: str, order: str) -> str:
    """The SIRET of a SIREN's establishment, from its order number in four digits."""
    return siren + order + luhn_key(siren + order)


def rna_of(siren: str) -> str:
    """The RNA number of an invented association: `W` and its SIREN, hence a département 00 that does not exist."""
    return "W" + siren


def tva_of(siren: str) -> str:
    """The VAT number that belongs to a SIREN: computed, never attributed."""
    return f"FR{(12 + 3 * (int(siren) % 97)) % 97:02d}{siren}"
