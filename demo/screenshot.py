"""`python -m demo.screenshot --out FILE`: the README's picture, taken from the running demo."""

import re
import subprocess
import sys
from pathlib import Path

import click


@click.command()
@click.option(
    "--out", default="demo/screenshot.png", show_default=True, type=click.Path(dir_okay=False, path_type=Path)
)
@click.option("--example", default="Spiculated mass", show_default=True, help="Start of the example's title.")
@click.option("--chromium", default="/usr/bin/chromium", show_default=True, help="The browser's program.")
def main(out, example, chromium):
    """Start the demo, click an example (a phantom), and save what the page shows."""
    from playwright.sync_api import sync_playwright

    command = [sys.executable, "-m", "demo"]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent)  # noqa: S603
    try:
        found = re.search(r"http://\S+", demo.stdout.readline() if demo.stdout else "")
        if not found:
            raise click.ClickException("The demo did not start.")
        with sync_playwright() as playwright:
            flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
            browser = playwright.chromium.launch(executable_path=chromium, args=flags)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(found.group().rstrip("/") + "/?example=none")
            page.click(f".examples button:has-text('{example}')")
            page.wait_for_selector("#numbers", state="attached", timeout=120_000)  # the checks are there
            page.mouse.move(5, 5)
            page.wait_for_timeout(500)  # the progress overlay fades
            page.screenshot(path=out)
            browser.close()
    finally:
        demo.terminate()
        demo.wait(10)
    click.echo(str(out))


if __name__ == "__main__":
    main()
