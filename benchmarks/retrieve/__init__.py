"""Search on JSQuAD and at size, beside others."""
