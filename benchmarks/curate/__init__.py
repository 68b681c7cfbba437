"""Curation measured: near-duplicates beside other tools, personal data by kind."""
