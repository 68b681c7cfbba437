"""Serving speed on the exam's real edits: ours beside llama.cpp, Hugging Face and vLLM. See run.py."""
