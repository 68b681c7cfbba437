"""Check digits: Luhn's for cards, those of Japan's personal and corporate numbers, and ISO 7064's for IBANs."""

from __future__ import annotations

__all__ = ["is_card", "is_corporate_number", "is_iban", "is_my_number"]


def is_card(digits: str) -> bool:
    """Whether 13 to 19 digits pass Luhn's test (ISO/IEC 7812-1, annex B) and are not all the same."""
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_my_number(digits: str) -> bool:
    """Whether twelve digits are a personal number: MIC ordinance 85 of 2014, article 5.

    The check digit is 11 less the remainder by 11 of the sum of P(n) Q(n), 0 for remainders of 0 and 1; P(n) is the
    n-th of the other digits from the right, Q(n) is n + 1 up to n = 6 and n - 5 from then on.
    """
    if len(digits) != 12 or len(set(digits)) == 1:
        return False
    total = sum(int(digit) * (n + 1 if n <= 6 else n - 5) for n, digit in enumerate(reversed(digits[:11]), 1))
    rest = total % 11
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest)


def is_corporate_number(digits: str) -> bool:
    """Whether thirteen digits are a corporate number: MOF ordinance 70 of 2014, article 2.

    The first digit is 9 less the remainder by 9 of the sum of P(n) Q(n); P(n) is the n-th digit from the right of the
    other twelve, Q(n) is 1 for odd n and 2 for even n.
    """
    if len(digits) != 13 or digits[0] == "0" or len(set(digits[1:])) == 1:
        return False
    total = sum(int(digit) * (1 if n % 2 else 2) for n, digit in enumerate(reversed(digits[1:]), 1))
    return int(digits[0]) == 9 - total % 9


def is_iban(value: str) -> bool:
    """Whether letters and digits are an IBAN: ISO 13616, remainder 1 by 97 (ISO 7064)."""
    turned = value[4:] + value[:4]
    return int("".join(str(int(char, 36)) for char in turned)) % 97 == 1
