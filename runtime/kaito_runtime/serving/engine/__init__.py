"""The transformers engine: continuous batching of rows that may run on different adapters.

Why not transformers' own `ContinuousBatchingManager`: measured on the tiny Phi-3 (2 layers of 64, one CPU thread,
sdpa, 64 new tokens, transformers 5.24, torch 2.13) it holds the throughput targets, 440 / 2,150 / 5,900 tokens/s with
1 / 8 / 32 requests against 275-350 for the text-generation pipeline. It cannot do what serving asks otherwise: one
set of weights for the whole batch (no adapter per request), one random generator for all rows (no seed per request),
temperature, top-k and top-p as the only settings per request (no penalties, no logit bias, no top log probabilities),
and no stop strings. `bench/serving.py` has this engine's numbers.

    rows        keys and values of the active rows, one dense block per layer
    attention   the attention function that reads them, registered with transformers
    decoder     one forward pass over rows: prefill chunks and decode steps
    lora        low-rank deltas per row, exact weighted sums
    sampling    the next token of every row
    sequences   a request in progress: its text, stop strings, limits
    scheduling  the thread that admits, prefills, decodes and retires rows
"""
