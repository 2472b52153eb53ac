// The script of the gallery: copying, uploading, deleting. Browsing and searching work without it.
"use strict";

const find = (selector, root = document) => root.querySelector(selector);
const base = find("main").dataset.base;
const home = location.pathname;

// -- Status messages, also read by screen readers.

const status = find("#status");
let hiding = 0;

function announce(text) {
  status.textContent = "";
  clearTimeout(hiding);
  setTimeout(() => { status.textContent = text; }, 50); // repeated messages are read out too
  hiding = setTimeout(() => { status.textContent = ""; }, 6000);
}

const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

function readable(bytes) {
  const units = ["bytes", "kB", "MB", "GB"];
  let unit = 0;
  for (; bytes >= 1000 && unit < 3; unit += 1) bytes /= 1000;
  return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
}

// -- Copying.

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea"); // over plain HTTP there is no clipboard API
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("the browser does not allow it");
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const label = button.dataset.label ??= button.textContent;
  const name = button.closest("[data-name]").dataset.name;
  try {
    await copy(button.dataset.copy);
  } catch (error) {
    announce(`Cannot copy ${name}: ${error.message}`);
    return;
  } finally {
    button.focus();
  }
  button.textContent = "Copied";
  button.classList.add("done");
  announce(`${label.replace("Copy ", "")} of ${name} copied`);
  setTimeout(() => {
    button.textContent = label;
    button.classList.remove("done");
  }, 1600);
});

// -- Updating the page in place.

async function load(address) {
  const response = await fetch(address, { headers: { Accept: "text/html" } });
  const text = await response.text();
  const page = new DOMParser().parseFromString(text, "text/html");
  if (!response.ok || !find("#results", page)) throw new Error("the session has expired; log in again");
  return page;
}

async function refresh() {
  const page = await load(location.href);
  for (const selector of ["#results", ".search"]) {
    const now = find(selector, page);
    if (selector === ".search" && find(selector).contains(document.activeElement)) continue;
    find(selector).replaceChildren(...now.childNodes);
  }
  choose();
}

// -- Uploading, two files at a time, in order.

const uploads = find(".uploads");
const waiting = [];
let running = 0;
let arrived = 0;

function upload(files) {
  for (const file of files) {
    const row = find("#row").content.firstElementChild.cloneNode(true);
    row.dataset.name = file.name;
    find(".name", row).textContent = file.name;
    find("progress", row).setAttribute("aria-label", `Upload of ${file.name}`);
    find(".state", row).textContent = "waiting";
    find("#uploads").append(row);
    waiting.push([file, row]);
  }
  if (files.length) announce(`Uploading ${counted(files.length, "image")}`);
  work();
}

function work() {
  while (running < 2 && waiting.length) {
    running += 1;
    send(...waiting.shift()).finally(() => {
      running -= 1;
      work();
    });
  }
  if (!running && !waiting.length && arrived) {
    announce(`${counted(arrived, "image")} uploaded`);
    arrived = 0;
    refresh().catch((error) => announce(error.message));
  }
}

async function send(file, row) {
  const state = find(".state", row);
  const progress = find("progress", row);
  try {
    const limit = Number(uploads.dataset.maxBytes);
    if (file.size > limit) throw new Error(`is ${readable(file.size)}; the limit is ${readable(limit)}`);
    const { url } = await post(file, (part) => {
      progress.value = part;
      state.textContent = part < 1 ? `${Math.floor(part * 100)} %` : "storing";
    });
    row.className = "done";
    state.textContent = "stored";
    progress.value = 1;
    arrived += 1;
    await offer(row, url);
  } catch (error) {
    row.className = "failed";
    progress.remove();
    state.textContent = error.message.replace(`${file.name}: `, "");
    announce(`${file.name}: ${state.textContent}`);
  }
}

function post(file, advance) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not report upload progress
    const form = new FormData();
    form.append("img", file, file.name);
    request.upload.onprogress = (event) => advance(event.lengthComputable ? event.loaded / event.total : 0);
    request.upload.onload = () => advance(1);
    request.onerror = () => reject(new Error("the connection was lost; try again"));
    request.onload = () => {
      const answer = read(request.responseText);
      if (request.status === 200 && answer.url) resolve(answer);
      else reject(new Error(answer.error?.message ?? explain(request.status)));
    };
    request.open("POST", `${base}upload/image`);
    request.setRequestHeader("Accept", "application/json");
    request.send(form);
  });
}

function read(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

function explain(code) {
  if (code === 401 || code === 403) return "the session has expired; log in again";
  if (code === 413) return "is too large";
  return `the server responded with status ${code}`;
}

async function offer(row, url) {
  const digest = /[0-9a-f]{64}/.exec(url)?.[0];
  const again = find(".again", row);
  const page = digest ? await load(`${home}?text=${digest}`).catch(() => null) : null;
  const markdown = page && find(".copy [data-copy]", page);
  again.dataset.copy = markdown ? markdown.dataset.copy : url;
  if (!markdown) again.textContent = "Copy URL";
  again.hidden = false;
}

function stamped(file) {
  if (file.name !== "image.png") return file; // the name that browsers give to every screenshot
  const now = new Date().toLocaleString("sv").replaceAll(":", ".");
  return new File([file], `pasted ${now}.png`, { type: file.type });
}

if (uploads) {
  const files = find("#files");
  const veil = find("#veil");
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  find("#choose").addEventListener("click", () => files.click());
  files.addEventListener("change", () => {
    upload([...files.files]);
    files.value = "";
  });
  document.addEventListener("paste", (event) => {
    const pasted = [...event.clipboardData.files];
    if (!pasted.length) return;
    event.preventDefault();
    upload(pasted.map(stamped));
  });
  document.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    veil.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) veil.hidden = true;
  });
  document.addEventListener("drop", (event) => {
    veil.hidden = true;
    if (!carries(event)) return;
    event.preventDefault();
    upload([...event.dataTransfer.files]);
  });
  window.addEventListener("beforeunload", (event) => {
    if (running) event.preventDefault();
  });
}

// -- Deleting unused images.

const bar = find("#delete");
const boxes = (state = "") => [...document.querySelectorAll(`.pick input${state}`)];

function choose() {
  if (!bar) return;
  const chosen = boxes(":checked");
  const size = chosen.reduce((sum, box) => sum + Number(box.dataset.size), 0);
  bar.hidden = !chosen.length;
  find("#chosen").textContent = `${chosen.length} selected, ${readable(size)}`;
  find("#all").hidden = chosen.length === boxes().length;
}

function select(all) {
  for (const box of boxes()) box.checked = all;
  choose();
  if (!all) find("#results").focus();
}

function listed(box) {
  const row = document.createElement("li");
  const name = document.createElement("strong");
  const detail = document.createElement("span");
  name.textContent = box.closest(".card").dataset.name;
  detail.textContent = readable(Number(box.dataset.size));
  row.dataset.sha256 = box.value;
  row.append(name, " ", detail);
  return row;
}

function ask(event) {
  event.preventDefault();
  const chosen = boxes(":checked");
  find("#confirm-title").textContent = `Delete ${counted(chosen.length, "image")}?`;
  find("#confirm-text").hidden = false;
  find("#victims").replaceChildren(...chosen.map(listed));
  find("#keep").textContent = chosen.length === 1 ? "Keep it" : "Keep them";
  find("#go").hidden = find("#go").disabled = false;
  find("#confirm").showModal();
  find("#keep").focus();
}

async function remove() {
  const rows = [...find("#victims").children];
  find("#go").disabled = true;
  find("#confirm-title").textContent = "Deleting…";
  let deletions;
  try {
    const response = await fetch(`${base}delete`, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify({ sha256: rows.map((row) => row.dataset.sha256) }),
    });
    const answer = read(await response.text());
    if (!response.ok) throw new Error(answer.error?.message ?? explain(response.status));
    deletions = answer.deletions;
  } catch (error) {
    find("#confirm-title").textContent = `Nothing was deleted: ${error.message}`;
    return;
  }
  report(rows, deletions);
  await refresh().catch((error) => announce(error.message));
}

function report(rows, deletions) {
  const deleted = deletions.filter((deletion) => deletion.deleted).length;
  const text = `${counted(deleted, "image")} deleted`;
  announce(text);
  if (deleted === rows.length) {
    find("#confirm").close();
    return;
  }
  const outcomes = new Map(deletions.map((deletion) => [deletion.sha256, deletion]));
  for (const row of rows) {
    const deletion = outcomes.get(row.dataset.sha256);
    find("span", row).textContent = deletion?.message ?? "unknown";
    row.className = deletion?.deleted ? "done" : "failed";
  }
  find("#confirm-title").textContent = `${text}, ${rows.length - deleted} kept`;
  find("#confirm-text").hidden = find("#go").hidden = true;
  find("#keep").textContent = "Close";
  find("#confirm-title").focus();
}

if (bar) {
  document.addEventListener("change", (event) => {
    if (event.target.matches(".pick input")) choose();
  });
  bar.addEventListener("submit", ask);
  find("#all").addEventListener("click", () => select(true));
  find("#none").addEventListener("click", () => select(false));
  find("#keep").addEventListener("click", () => find("#confirm").close());
  find("#go").addEventListener("click", remove);
  find("#confirm").addEventListener("close", () => {
    const next = bar.hidden ? find("#results") : find("[type=submit]", bar);
    next.focus();
  });
  choose(); // browsers keep checked boxes across a reload
}
