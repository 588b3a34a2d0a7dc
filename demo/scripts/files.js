// Files come in by dropping them anywhere, and results go out.
import { bytes } from "./state.js";

const FREE_MS = 150;

// Gradio's box takes none while it still shows the last ones, and is free for a moment before they appear in it: new
// ones, the newest alone, wait until it has been free and at rest for a while.
export function listenDrops() {
  let waiting = null;
  let timer = 0;
  let moved = 0; // when the box last changed
  const box = () => document.querySelector("#upload:not(:has(.file-preview)) input[type=file]");
  const hand = () => {
    if (!waiting || !box()) return;
    const input = box();
    input.files = waiting.files;
    waiting = null;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const wait = () => {
    clearTimeout(timer);
    if (waiting) timer = setTimeout(hand, FREE_MS);
  };
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    event.stopPropagation();
    waiting = new DataTransfer();
    for (const file of event.dataTransfer.files) waiting.items.add(file);
    if (performance.now() - moved > FREE_MS) hand();
    else wait();
  }, true);
  new MutationObserver((changes) => {
    if (!changes.some((change) => change.target.closest?.("#upload"))) return;
    moved = performance.now();
    wait();
  }).observe(document.body, { childList: true, subtree: true });
}

export function save(element) {
  const { name, kind } = element.dataset;
  const [, content] = element.textContent.split(":"); // a number comes first: the same file may be asked for twice
  const blob = new Blob([bytes(content)], { type: kind });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
