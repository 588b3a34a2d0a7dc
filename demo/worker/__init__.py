"""The pipeline in a process of its own.

It loads while the page's process loads Gradio, and leaves the page its own interpreter. When something kills it
(memory, a decoder that crashes) the page says so and starts another.
"""
