"""Personal data: found in Japanese and English, and taken out on both sides of a pair alike."""

from tensaku.curate.personal.finding import DEFAULT, KINDS, Finding, Kind, find
from tensaku.curate.personal.masking import Mode, masked, new_key, restored

__all__ = ["DEFAULT", "KINDS", "Finding", "Kind", "Mode", "find", "masked", "new_key", "restored"]
