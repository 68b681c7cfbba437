"""Models: opening a base, its tokenizer, trimming, and the one decoder that both trains and serves."""
