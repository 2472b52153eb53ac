// The banner: the problems of this page, and those of other pages as a count that opens.
const pelicanImagehostBanner = (() => {
  "use strict";
  const NAME = "pelican-imagehost-problems";
  const FOLDED = "pelican-imagehost-folded";
  const STYLE = `
    :host { all: initial }
    @media print { :host { display: none } }
    section {
      --ground: #fff3f1; --ink: #690f17; --edge: #b3261e;
      position: fixed; inset: auto 0 0 0; z-index: 2147483647; box-sizing: border-box;
      display: flex; flex-direction: column; max-height: 25vh; max-height: 25dvh;
      font: 14px/1.4 system-ui, sans-serif; color: var(--ink); background: var(--ground);
      border-top: 2px solid var(--edge); overflow-wrap: anywhere;
    }
    @media (prefers-color-scheme: dark) {
      section { --ground: #2d1012; --ink: #ffdad6; --edge: #f2726a }
    }
    header { display: flex; align-items: center; justify-content: space-between; gap: 1em; padding: 2px 12px }
    strong { flex: 1 }
    button {
      font: inherit; color: inherit; background: none; cursor: pointer;
      min-height: 24px; padding: 0 8px; border: 1px solid var(--edge); border-radius: 4px;
    }
    a { color: inherit; margin-left: .5em }
    summary { cursor: pointer; min-height: 24px; line-height: 24px }
    ul { margin: 0; padding: 0; list-style: none }
    #list { overflow: auto; min-height: 0; padding: 0 12px 4px }
    :focus-visible { outline: 2px solid; outline-offset: -2px }
    section.folded { inset: auto 0 0 auto; border-left: 2px solid var(--edge) }
    .folded strong, .folded #list { display: none }
    .folded header { padding: 2px }
    .folded button { border: 0 }
    [hidden] { display: none }`;
  const SKELETON = `
    <section role="alert" aria-label="Problems">
      <header><strong></strong><button type="button" aria-controls="list"></button></header>
      <div id="list" role="region" aria-label="List of problems" tabindex="0">
        <ul></ul>
        <details><summary></summary><ul></ul></details>
      </div>
    </section>`;
  const count = (number) => `${number} problem${number === 1 ? "" : "s"}`;

  // Remembered for the session of this tab, if the browser allows that.
  let folded = false;
  try { folded = sessionStorage.getItem(FOLDED) !== null; } catch { /* only on this page */ }
  function fold() {
    folded = !folded;
    try {
      if (folded) sessionStorage.setItem(FOLDED, ""); else sessionStorage.removeItem(FOLDED);
    } catch { /* as above */ }
    render();
  }

  let root = null;
  let here = [];
  let elsewhere = [];

  function open() {
    const host = document.createElement(NAME);
    root = host.attachShadow({ mode: "open" });
    root.innerHTML = SKELETON;
    const style = new CSSStyleSheet();  // allowed by any policy of the page
    style.replaceSync(STYLE);
    root.adoptedStyleSheets = [style];
    root.querySelector("button").addEventListener("click", fold);
    document.documentElement.append(host);  // outside the body, which is morphed
  }

  function item(problem) {
    const line = document.createElement("li");
    line.textContent = problem.text;
    return line;
  }

  function linked(problem) {
    const line = item(problem);
    const page = problem.pages?.find((one) => one.endsWith(".html"));
    if (page) {
      const link = document.createElement("a");
      link.href = page;
      link.textContent = "open page";
      link.setAttribute("aria-label", `open page ${decodeURIComponent(page)}`);
      line.append(link);
    }
    return line;
  }

  function render() {
    const all = here.length + elsewhere.length;
    const [own, others] = root.querySelectorAll("ul");
    const details = root.querySelector("details");
    const button = root.querySelector("button");
    root.querySelector("section").classList.toggle("folded", folded);
    root.querySelector("strong").textContent =
      here.length ? `${count(here.length)} on this page` : "No problems on this page";
    root.querySelector("summary").textContent = `${count(elsewhere.length)} on other pages`;
    details.hidden = !elsewhere.length;
    own.replaceChildren(...here.map(item));
    others.replaceChildren(...elsewhere.map(linked));
    button.textContent = folded ? `Show ${count(all)}` : "Hide";
    button.setAttribute("aria-expanded", String(!folded));
  }

  // Show problems; `isHere` tells whether some pages, null for all, include this one.
  function show(problems, isHere) {
    here = problems.filter((one) => isHere(one.pages && one.pages.map(decodeURIComponent)));
    elsewhere = problems.filter((one) => !here.includes(one));
    if (!problems.length) {
      root?.host.remove();
      root = null;
      return;
    }
    if (!root) open();
    render();
  }
  return { show };
})();
