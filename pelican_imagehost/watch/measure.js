// Measures how wide the theme shows pictures, in windows of several widths, once a page.
(() => {
  "use strict";
  const WINDOWS = [400, 800, 1280, 1920, 2560];
  const PICTURES = "img[data-imagehost][sizes]";  // those with variants
  const own = new URL(".", document.currentScript.src).pathname;
  let measured = false;

  // Scripts do not run in the frame, and lazy pictures do not load there: their boxes are known.
  function measure() {
    if (measured || !document.querySelector(PICTURES)) return;
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
      frame.remove();
      if (limited.length) fetch(`${own}widths?${new URLSearchParams(widths)}`);
    };
    document.documentElement.append(frame);  // not in the body, which is morphed
  }

  const whenIdle = () => (window.requestIdleCallback ?? setTimeout)(measure);
  addEventListener("load", whenIdle);
  addEventListener("pelican-imagehost:updated", whenIdle);
})();
