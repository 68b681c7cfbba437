"""What the house wrote before: past pairs most like a draft, and the rules that it calls for."""

from tensaku.retrieve.examples import ORDERS, Examples, Order
from tensaku.retrieve.guides import Guides
from tensaku.retrieve.similar import Index, terms

__all__ = ["ORDERS", "Examples", "Guides", "Index", "Order", "terms"]
