// The page in another language: texts stand in the HTML in English with their keys, and are exchanged where they stand.
//
// Which language it is, Gradio decides: #language holds the name of the catalogue that its I18n chose.
"use strict";

(() => {
  const PREFIX = "lungcnn.";
  const ATTRIBUTES = ["title", "aria-label", "alt", "placeholder"];
  const MARKED = ["[data-t]", ...ATTRIBUTES.map((name) => `[data-t-${name}]`), "#language"].join();
  let language = "en";

  const catalogue = () => window.gradio_config?.i18n_translations?.[language] ?? {};
  const rightToLeft = () => catalogue()[PREFIX + "direction"] === "rtl";
  // Numbers keep their own direction among letters of another; what stands in a place keeps the page's.
  const opener = (text, ours) => (ours ? "\u2067" : /\p{L}/u.test(text) ? "\u2068" : "\u2066");
  const isolated = (text, ours) => (rightToLeft() ? `${opener(text, ours)}${text}\u2069` : text);

  /** A text by its key, its places filled; values are strings or texts themselves: {t: key, v: values, en: text}. */
  function told(key, values, english) {
    const template = catalogue()[PREFIX + key];
    if (template === undefined) return english;
    return template.replace(/\{(\w+)\}/g, (place, name) => {
      const value = values[name];
      if (value === undefined) return place;
      return value.t ? isolated(told(value.t, value.v, value.en), true) : isolated(value, false);
    });
  }

  function translate(element) {
    if (element.dataset.t) {
      element.dataset.en ??= element.textContent;
      const text = told(element.dataset.t, JSON.parse(element.dataset.v ?? "{}"), element.dataset.en);
      if (element.textContent !== text) element.textContent = text;
    }
    for (const name of ATTRIBUTES) {
      const said = element.getAttribute(`data-t-${name}`);
      if (!said) continue;
      const [key, values, english] = JSON.parse(said);
      element.setAttribute(name, told(key, values, english));
    }
  }

  function choose(next) {
    if (next === language || !/^[a-z]{2,3}$/.test(next)) return;
    language = next;
    document.documentElement.lang = language;
    document.documentElement.dir = rightToLeft() ? "rtl" : "ltr";
    document.title = told("title", {}, document.title);
    document.querySelectorAll(MARKED).forEach(translate);
    document.dispatchEvent(new CustomEvent("lungcnn:language"));
  }

  window.lungcnnTold = told; // for what the viewer writes (`scripts/`)

  const marked = (node) =>
    node.nodeType === 1 ? [...(node.matches(MARKED) ? [node] : []), ...node.querySelectorAll(MARKED)] : [];

  // Before the browser paints: nobody sees the English.
  new MutationObserver((changes) => {
    const said = document.getElementById("language")?.textContent.trim();
    if (said) choose(said);
    if (language === "en") return;
    for (const change of changes) for (const node of change.addedNodes) marked(node).forEach(translate);
  }).observe(document.documentElement, { childList: true, subtree: true, characterData: true });
})();
