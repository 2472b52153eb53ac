// Measures how wide the theme shows pictures, in windows of several widths, and finds its rules that
// work differently on those within `picture`, once a page.
(() => {
  "use strict";
  const WINDOWS = [400, 800, 1280, 1920, 2560];
  const MOST_RULES = 5;
  const LONGEST = 200;  // characters of a rule
  const PICTURES = "img[data-imagehost][sizes]";  // those with variants
  const WRAPPED = "picture[data-imagehost]";
  const own = new URL(".", document.currentScript.src).pathname;
  let measured = false;

  // Scripts do not run in the frame, and lazy pictures do not load there: their boxes are known.
  function measure() {
    if (measured || !document.querySelector(`${PICTURES}, ${WRAPPED}`)) return;
    measured = true;
    const frame = document.createElement("iframe");
    frame.sandbox = "allow-same-origin";
    frame.tabIndex = -1;
    frame.ariaHidden = "true";
    frame.style = "position: fixed; left: -9999px; top: 0; height: 900px; visibility: hidden; border: 0";
    frame.style.width = `${WINDOWS.at(-1)}px`;
    frame.src = location.href.split("#")[0];
    frame.onload = () => {
      // A picture that is as wide as its pixels could be wider for all the theme says.
      const limited = [...frame.contentDocument.querySelectorAll(PICTURES)].filter((one) =>
        one.getBoundingClientRect().width < parseInt(one.dataset.imagehost) - 1);
      const widths = WINDOWS.map((width) => {
        frame.style.width = `${width}px`;
        return [width, Math.ceil(Math.max(...limited.map((one) => one.getBoundingClientRect().width)))];
      });
      const rules = rulesThatDiffer(frame.contentDocument)
        .slice(0, MOST_RULES).map((one) => ["rule", one.slice(0, LONGEST)]);
      frame.remove();
      if (limited.length) fetch(`${own}widths?${new URLSearchParams(widths)}`);
      if (rules.length) fetch(`${own}rules?${new URLSearchParams(rules)}`);
    };
    document.documentElement.append(frame);  // not in the body, which is morphed
  }

  // The selectors that mean other elements without the `picture` around images; unwraps all.
  function rulesThatDiffer(page) {
    const selectors = [...new Set([...page.styleSheets].flatMap(selectorsIn))]
      .filter((one) => /\bimg\b/.test(one));
    const wrapped = selectors.map((one) => matches(page, one));
    for (const one of page.querySelectorAll(WRAPPED)) one.replaceWith(one.querySelector("img"));
    return selectors.filter((one, number) => {
      const alone = matches(page, one);
      const before = [...wrapped[number]].filter((element) => element.isConnected);
      return alone.size !== before.length || before.some((element) => !alone.has(element));
    });
  }

  function matches(page, selector) {
    try {
      return new Set(page.querySelectorAll(selector));
    } catch {  // it is one of style sheets alone
      return new Set();
    }
  }

  function selectorsIn(sheet) {
    try {
      return [...sheet.cssRules ?? []].flatMap((one) =>
        one.selectorText ?? selectorsIn(one.styleSheet ?? one));
    } catch {  // it is of another site
      return [];
    }
  }

  const whenIdle = () => (window.requestIdleCallback ?? setTimeout)(measure);
  addEventListener("load", whenIdle);
  addEventListener("pelican-imagehost:updated", whenIdle);
})();
