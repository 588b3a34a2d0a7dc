"""Started as a file, as Hugging Face Spaces do (`app_file: demo/app.py`), it goes on as `python -m demo`."""

if __name__ == "__main__":
    import runpy
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).parent.parent)
    runpy.run_module("demo", run_name="__main__", alter_sys=True)
