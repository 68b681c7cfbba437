"""Pairs that nobody wrote: made from the lessons, held to the same facts, marked for ever, and never in an exam."""

from tensaku.curate.synthetic.stage import Synthesize, finals_source, given_topics, synthesize, topics_file

__all__ = ["Synthesize", "finals_source", "given_topics", "synthesize", "topics_file"]
