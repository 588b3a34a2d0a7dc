// Toasts come as bare sentences, ours and Gradio's: here they get the page's language, and lose what is for machines.
"use strict";

(() => {
  const PREFIX = "lungcnn.";
  const LEAST = 8; // letters besides its places, by which a sentence can be recognised
  // What Gradio says where we say more.
  const INSTEAD = { "toasts.too_large": "upload_too_large_here" };
  let templates = null;

  const english = () => window.gradio_config?.i18n_translations?.en ?? {};

  /** The catalogue's sentences as patterns, those with the most letters first. */
  function known() {
    return (templates ??= Object.entries(english())
      .filter(([key]) => key.startsWith(PREFIX))
      .map(([key, text]) => {
        const letters = text.trim().replace(/\{\w+\}/g, "");
        const pattern = text.trim().replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{\w+\}/g, "([^]+?)");
        const names = [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1]);
        return { key: key.slice(PREFIX.length), pattern: new RegExp(`^${pattern}$`), names, letters: letters.length };
      })
      .filter(({ letters, names }) => !names.length || letters >= LEAST)
      .sort((a, b) => b.letters - a.letters));
  }

  const filled = (text, values) => text.replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place);

  function told(said) {
    for (const { key, pattern, names } of known()) {
      const found = said.match(pattern);
      if (!found) continue;
      const values = Object.fromEntries(names.map((name, i) => [name, found[i + 1]]));
      const meant = INSTEAD[key] ?? key;
      return window.lungcnnTold(meant, values, filled(english()[PREFIX + meant], values));
    }
    return said;
  }

  /** The sentence in an answer of the server, as Gradio shows it. */
  function bare(text) {
    const found = text.match(/\{"detail":\s*("(?:[^"\\]|\\.)*")\}/);
    return (found ? JSON.parse(found[1]) : text).trim();
  }

  function mend(toast) {
    const walk = document.createTreeWalker(toast, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const node = walk.currentNode;
      const said = bare(node.nodeValue);
      if (!said) continue;
      const text = told(said);
      if (text !== node.nodeValue.trim()) node.nodeValue = text;
    }
    for (const button of toast.querySelectorAll("[data-testid=toast-close]")) {
      button.setAttribute("aria-label", told(button.getAttribute("aria-label") ?? ""));
    }
  }

  new MutationObserver(() => document.querySelectorAll("[data-testid=toast-body]").forEach(mend)).observe(
    document.documentElement, { childList: true, subtree: true },
  );
})();
