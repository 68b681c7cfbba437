"""Engines answer requests: `native` is our own, over the same decoder that trains."""

from tensaku.engines.protocol import Engine, Piece, Request, Stream
from tensaku.engines.resolve import open_engine

__all__ = ["Engine", "Piece", "Request", "Stream", "open_engine"]
