// What is said is brought to where the eye and the ear are: a message or the progress of work comes into view, and a
// line for screen readers, which stays on the page as what they listen to has to, repeats what is new.
"use strict";

(() => {
  let last = "";

  /** What a listener should hear: a message, the verdict, or the step that is under way. */
  function news(result) {
    const said = result.querySelector("#message, #verdict, .steps .now, .working h2");
    return said ? said.innerText.replace(/\s+/g, " ").trim() : "";
  }

  /** What Gradio and Markdown leave out: a name that is what is read, and tables that can be scrolled by keys. */
  function mend() {
    document.querySelector("#upload button[aria-dropeffect][aria-label]:not(.icon-mode)")?.removeAttribute("aria-label");
    for (const picture of document.querySelectorAll(".examples img:not([alt=''])")) picture.alt = ""; // its button says it
    for (const table of document.querySelectorAll(".about table:not([tabindex])")) table.tabIndex = 0;
  }

  function bring(shown, behavior) {
    const { top, bottom } = shown.getBoundingClientRect();
    if (shown.isConnected && (top < 0 || bottom > innerHeight)) shown.scrollIntoView({ block: "center", behavior });
  }

  function attend() {
    mend();
    if (document.body.classList.contains("scrolled")) return; // many slices a second: nothing to be read aloud
    const result = document.getElementById("result");
    const announcer = document.getElementById("announcer");
    if (!result || !announcer) return;
    const text = news(result);
    if (text === last) return;
    last = text;
    if (!result.querySelector("#message")) announcer.textContent = text; // an alert speaks for itself
    const shown = result.querySelector("#message, .working");
    if (!shown || document.querySelector("#ct.stacked")) return; // a series is scrolled through, not the page
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    bring(shown, still ? "auto" : "smooth");
    // What grows or goes above it while the page glides can leave it out of view.
    setTimeout(() => bring(shown, "auto"), 800);
  }

  new MutationObserver(attend).observe(document.documentElement, { childList: true, subtree: true });
})();
