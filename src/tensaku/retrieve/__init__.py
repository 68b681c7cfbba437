"""What the house wrote before: the past pairs most like a draft, for a prompt to quote."""

from tensaku.retrieve.examples import ORDERS, Examples, Order
from tensaku.retrieve.similar import Index, terms

__all__ = ["ORDERS", "Examples", "Index", "Order", "terms"]
