"""The Gradio demo: `python -m demo`."""
