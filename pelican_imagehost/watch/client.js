// Updates the page when it changes, and shows problems.
(() => {
  "use strict";
  const banner = pelicanImagehostBanner;
  const script = document.currentScript;
  const own = new URL(".", script.src).pathname;
  let after = script.dataset.after;
  let source = null;
  let busy = false;
  let again = false;

  // The paths from which the server may have answered this page.
  const here = () => {
    const path = decodeURIComponent(location.pathname);
    return path.endsWith("/") ? [path + "index.html"] : [path, path + ".html"];
  };
  const isHere = (paths) => paths === null || here().some((path) => paths.includes(path));
  const outer = (nodes) => [...nodes].map((node) => node.outerHTML).join("\n");
  const resources = (page) =>
    outer([...page.querySelectorAll("script")].filter((one) => !one.src.includes(own))) +
    outer(page.querySelectorAll("link[rel~=stylesheet], style"));

  // Keep fields and details that the user has changed.
  const isTouched = (node) =>
    node.nodeType === 1 && (
      (node.matches("input[type=checkbox], input[type=radio]") && node.checked !== node.defaultChecked) ||
      (node.matches("input, textarea") && node.value !== node.defaultValue) ||
      (node.matches("select") && [...node.options].some((one) => one.selected !== one.defaultSelected)));
  const callbacks = {
    beforeNodeMorphed: (old, next) => {
      if (old.nodeType === 1 && old.tagName === "DETAILS") next.open = old.open;
      return !isTouched(old);
    },
  };

  async function update() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const response = await fetch(location.href, { cache: "no-store" });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      // A morph would not run changed scripts, and would apply styles one after the other.
      if (resources(page) !== resources(document)) { location.reload(); return; }
      document.title = page.title;
      Idiomorph.morph(document.body, page.body, { morphStyle: "outerHTML", ignoreActiveValue: true, callbacks });
      dispatchEvent(new Event("pelican-imagehost:updated"));
    } catch (error) {
      console.error("pelican-imagehost:", error);
      location.reload();
    } finally {
      busy = false;
      if (again) { again = false; update(); }
    }
  }

  // Reload changed images and style sheets, which keep their addresses.
  function refresh(paths) {
    const changed = (url) => {
      const { origin, pathname } = new URL(url, location.href);
      return origin === location.origin && paths.includes(decodeURIComponent(pathname));
    };
    const renew = (url) => {
      const address = new URL(url, location.href);
      address.searchParams.set("imagehost", after);
      return address.href;
    };
    if ([...document.scripts].some((one) => one.src && changed(one.src))) { location.reload(); return; }
    for (const link of document.querySelectorAll("link[rel~=stylesheet]")) {
      if (!changed(link.href)) continue;
      const next = link.cloneNode();  // keep the old one until the new one has loaded, to avoid a flash
      next.href = renew(link.href);
      next.onload = () => link.remove();
      link.after(next);
    }
    for (const image of document.images) if (changed(image.currentSrc || image.src)) image.src = renew(image.src);
  }

  function take(event) {
    if (event.lastEventId) after = event.lastEventId;
    const news = JSON.parse(event.data);
    if (news.problems) banner.show(news.problems, isHere);
    if (news.changed === undefined) return;
    const paths = news.changed && news.changed.map(decodeURIComponent);
    if (paths) refresh(paths);
    if (isHere(paths)) update();
  }

  // Connect in the visible tab only, because browsers allow six connections per host.
  function follow() {
    if (document.visibilityState === "hidden") { source?.close(); source = null; return; }
    if (source) return;
    source = new EventSource(`${own}events?after=${after}`);
    source.onmessage = take;
  }
  document.addEventListener("visibilitychange", follow);
  addEventListener("pagehide", () => { source?.close(); source = null; });
  addEventListener("pageshow", follow);
  follow();
})();
