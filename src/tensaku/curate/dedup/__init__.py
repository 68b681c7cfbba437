"""Duplicates among pairs: near ones by MinHash and LSH, and texts contained in others."""

from tensaku.curate.dedup.near import Link, Links, Plan, components, near_links
from tensaku.curate.dedup.shingles import jaccard, shingles, sorted_sets

__all__ = ["Link", "Links", "Plan", "components", "jaccard", "near_links", "shingles", "sorted_sets"]
