"""Training speed at equal mathematics: Tensaku beside TRL and Hugging Face, each in a process of its own."""
