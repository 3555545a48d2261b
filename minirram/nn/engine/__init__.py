"""The fast path of training: a batch cut into chunks that stay in the cache."""
