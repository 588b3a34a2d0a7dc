"""`python -m lungcnn`."""

from lungcnn.cli import main

if __name__ == "__main__":
    main(prog_name="python -m lungcnn")
