"""Measurements of the comment desk."""
