"""The pipeline in a process of its own.

It loads while the page's process loads Gradio, and leaves the page its own interpreter. When something kills it
(memory, a decoder that crashes) the page says so and starts another.

Pebble's pool, which restarts processes too, runs one task in each: several models, nothing read while one loads, no
word on how far a series is, and a process lost for each call that is cancelled.
"""
