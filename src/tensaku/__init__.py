"""Tensaku: tailor an open language model to one writing job of the house, on its own machines."""

__version__ = "0.1.0"
