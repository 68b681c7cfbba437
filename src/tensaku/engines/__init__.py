"""Engines answer requests: `native` is our own, over the same decoder that trains."""

from tensaku.engines.protocol import ABILITIES, Engine, Piece, Request, Stream, TokenScore
from tensaku.engines.resolve import open_engine

__all__ = ["ABILITIES", "Engine", "Piece", "Request", "Stream", "TokenScore", "open_engine"]
