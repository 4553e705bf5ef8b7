// The page keeps the photo and what was made of it in memory, and asks the form's own address for each try-on.
"use strict";

const $ = (id) => document.getElementById(id);
const root = document.documentElement;
const form = $("form");
const tiles = [...document.querySelectorAll(".style[data-search]")];
const mostBytes = Number(document.body.dataset.mostBytes);

let words = JSON.parse(document.body.dataset.words);
let language = root.lang;
let photo = null; // {file, url, number}
let picture = null; // a garment's, the same
let taken = 0;
const results = [];
let sheet = []; // the results that "all styles" gave
let view = null; // a result's number, "sheet", or the photo alone
let running = null;

root.classList.add("js");
root.classList.toggle("touch", navigator.maxTouchPoints > 0);
form.noValidate = true;
history.replaceState({ view: null }, "");

const say = (key, values = {}) => words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
const bringIntoView = (element) => {
  const { top } = element.getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) element.scrollIntoView({ block: "start" });
};
const announce = (text) => { $("status").textContent = text; };
const fail = (text) => { $("error").textContent = text; bringIntoView($("error")); };
const clear = () => { $("error").textContent = ""; };
const chosen = () => form.elements.style?.value ?? "";
const tileOf = (style) => tiles.find((tile) => tile.querySelector("input").value === style);

// Pictures in.

function refusal(file) {
  if (/hei[cf]/i.test(file.type) || /\.hei[cf]$/i.test(file.name)) return words.heic;
  if (file.size > mostBytes) return words["413"];
  return file.type && !file.type.startsWith("image/") ? say("not_picture", { name: file.name }) : "";
}

function accepted(file) {
  clear();
  const why = refusal(file);
  if (why) fail(why);
  return why ? null : { file, url: URL.createObjectURL(file), number: ++taken };
}

function takePhoto(file) {
  const next = accepted(file);
  if (!next) return;
  running?.abort();
  photo = next;
  root.classList.add("has-photo");
  $("choose").textContent = words.photo_other;
  show(null);
  announce(say("chosen", { name: file.name }));
}

function takePicture(file) {
  const next = accepted(file);
  if (!next) return;
  picture = next;
  for (const id of ["own-preview", "own-sample"]) {
    $(id).src = picture.url;
    $(id).hidden = false;
  }
  $("own").querySelector("input").checked = true;
  styleChanged();
}

for (const [id, take] of [["photo", takePhoto], ["picture", takePicture]]) {
  $(id)?.addEventListener("change", (event) => {
    if (event.target.files.length) take(event.target.files[0]);
    if (id === "photo") event.target.value = ""; // the same file may be chosen again
  });
}
$("camera").addEventListener("click", () => {
  $("photo").setAttribute("capture", "environment");
  $("photo").click();
  $("photo").removeAttribute("capture");
});
const forPicture = (target) => Boolean(target instanceof Element && target.closest("#own-panel, #own"));
addEventListener("paste", (event) => {
  const file = event.clipboardData?.files[0];
  if (!file) return;
  event.preventDefault();
  (forPicture(document.activeElement) ? takePicture : takePhoto)(file);
});
addEventListener("dragover", (event) => {
  if (![...event.dataTransfer.types].includes("Files")) return;
  event.preventDefault();
  root.classList.add("over");
});
addEventListener("dragleave", (event) => { if (!event.relatedTarget) root.classList.remove("over"); });
addEventListener("drop", (event) => {
  root.classList.remove("over");
  const file = event.dataTransfer.files[0];
  if (!file) return;
  event.preventDefault();
  (forPicture(event.target) ? takePicture : takePhoto)(file);
});

// Styles.

function filter() {
  const text = $("search").value.trim().toLowerCase();
  let shown = 0;
  for (const tile of tiles) {
    const { search, colour, pattern } = tile.dataset;
    const fits = text.split(/\s+/).every((word) => search.includes(word));
    tile.hidden = !(fits && [colour, ""].includes($("of-colour").value) && [pattern, ""].includes($("of-pattern").value));
    shown += !tile.hidden;
  }
  $("no-match").hidden = shown > 0;
  announce(say("found", { n: shown }));
}
for (const id of ["search", "of-colour", "of-pattern"]) $(id)?.addEventListener("input", filter);
$("search")?.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });

function styleChanged() {
  const own = chosen() === "";
  const dyes = tileOf(chosen())?.dataset.dyes === "yes";
  root.classList.toggle("own", own);
  $("dye").classList.toggle("off", !dyes);
  $("no-dye").hidden = own || dyes;
  $("picture-dye").hidden = !own;
}

function dye(code) {
  $("colour").value = code;
  for (const button of document.querySelectorAll(".dye")) button.ariaPressed = String(button.dataset.code === code);
}

if (tiles.length) {
  $("styles").addEventListener("change", styleChanged);
  $("styles").addEventListener("click", (event) => {
    // A pointer's choice is tried on at once; arrow keys only choose.
    if (event.detail && photo && event.target.value) run([event.target.value]);
  });
  $("picker").addEventListener("input", (event) => dye(event.target.value));
  $("picker").addEventListener("change", () => { if (photo) run([chosen()]); });
  $("colour").addEventListener("input", (event) => dye(event.target.value));
  $("undye").addEventListener("click", () => dye(""));
  for (const button of document.querySelectorAll(".dye")) {
    button.addEventListener("click", () => {
      dye(button.ariaPressed === "true" ? "" : button.dataset.code);
      if (photo) run([chosen()]);
    });
  }
  for (const image of document.querySelectorAll(".swatch img[src]")) {
    const missing = () => image.classList.add("missing");
    if (image.complete && !image.naturalWidth) missing();
    image.addEventListener("error", missing);
  }
  $("all").addEventListener("click", () => {
    run(tiles.filter((tile) => !tile.hidden).map((tile) => tile.querySelector("input").value), true);
  });
  styleChanged();
}
form.addEventListener("submit", (event) => {
  event.preventDefault();
  run([chosen()]);
});

// A try-on.

class Refused extends Error {}

function request(style) {
  const body = new FormData();
  const key = [photo.number, style];
  const add = (name, value) => { body.append(name, value); key.push(name, value); };
  body.append("photo", photo.file, "photo");
  body.append("style", style);
  for (const name of ["garment", "person"]) add(name, form.elements[name].value);
  if (!style) {
    body.append("picture", picture.file, "picture");
    key.push(picture.number);
    for (const name of ["nearest", "cloth"]) if (form.elements[name].checked) add(name, "yes");
  } else if (tileOf(style).dataset.dyes === "yes" && $("colour").value.trim()) {
    add("colour", $("colour").value.trim());
  }
  return { body, key: JSON.stringify(key) };
}

async function answerTo(body, signal, tell) {
  const response = await fetch(form.action, { method: "POST", body, signal, headers: { Accept: "application/x-ndjson" } });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = "", end = false; !end;) {
    const { done, value = "\n" } = await reader.read();
    end = done;
    text += value;
    if (!value.includes("\n")) continue;
    const lines = text.split("\n");
    text = lines.pop();
    for (const line of lines.filter(Boolean)) {
      const said = JSON.parse(line);
      if (said.state === "failed") throw new Refused(said.error);
      if (said.state === "done") return said;
      tell(said);
    }
  }
  throw new Error("the answer has no end");
}

function blobOf(uri) {
  const [head, data] = uri.split(",");
  return new Blob([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], { type: head.slice(5, head.indexOf(";")) });
}

function made(answer, key) {
  const [photoBlob, blob] = [blobOf(answer.before), blobOf(answer.after)];
  return {
    ...answer, key, photoBlob, blob,
    before: URL.createObjectURL(photoBlob),
    after: URL.createObjectURL(blob),
    label: answer.name.replace(/^try-on-|\.png$/g, ""),
  };
}

async function run(styles, all = false) {
  clear();
  if (!photo) {
    fail(words.no_photo);
    $("photo").focus();
    return;
  }
  if (!all && !styles[0] && !picture) {
    fail(words.no_picture);
    $("picture").focus();
    return;
  }
  running?.abort();
  const mine = running = new AbortController();
  const numbers = [];
  if (all) sheet = numbers;
  $("progress").hidden = false;
  try {
    for (const [n, style] of styles.entries()) {
      const { body, key } = request(style);
      const tell = (said) => {
        if (mine !== running) return;
        const of = all ? `${say("of", { n: n + 1, all: styles.length, style })}. ` : "";
        $("state").textContent = `${of}${say(said.state, said)}…`;
        announce($("state").textContent);
      };
      let number = results.findIndex((result) => result.key === key);
      if (number < 0) {
        tell({ state: "sending" });
        const answer = await answerTo(body, mine.signal, tell);
        if (mine.signal.aborted) return;
        number = results.push(made(answer, key)) - 1;
      }
      numbers.push(number);
      if (!all) show(number);
      else if (n === 0) show("sheet");
      else render();
    }
    bringIntoView($("view"));
    announce(all ? $("said").textContent : `${$("said").textContent} ${$("doubt").textContent}`);
  } catch (error) {
    if (mine.signal.aborted) return;
    fail(error instanceof Refused ? error.message : words.offline);
  } finally {
    if (running === mine) {
      running = null;
      $("progress").hidden = true;
    }
  }
}
$("cancel").addEventListener("click", () => {
  running?.abort();
  running = null;
  $("progress").hidden = true;
  announce(words.cancelled);
  $("go").focus();
});

// What is shown.

function show(next, push = true) {
  if (push && next !== view) history.pushState({ view: next }, "");
  view = next;
  render();
}
addEventListener("popstate", (event) => show(event.state?.view ?? null, false));

function render() {
  const result = results[view];
  const sheeted = view === "sheet" && sheet.length > 0;
  const before = result?.before ?? photo?.url;
  $("view").hidden = !(sheeted || before);
  $("compare").hidden = sheeted;
  $("compare").classList.toggle("both", Boolean(result));
  if (before) $("before").src = before;
  if (result) $("after").src = result.after;
  $("tools").hidden = !(result || sheeted);
  $("said").textContent = sheeted ? say("sheet_said", { n: sheet.length }) : result?.message[language] ?? "";
  const warning = result?.warning[language];
  $("doubt").hidden = !warning;
  $("doubt").textContent = warning ? say("warning", { what: warning }) : "";
  $("sheet").hidden = !sheeted;
  fill($("sheet"), sheet, sheet);
  fill($("thumbs"), results, [...results.keys()]);
  $("strip").hidden = !results.length;
  const current = $("thumbs").querySelector("[aria-current]");
  if (current) $("thumbs").scrollLeft = current.offsetLeft - $("thumbs").offsetLeft - 104; // one is seen before it
}

function fill(list, owner, numbers) {
  if (list.owner !== owner) list.replaceChildren();
  list.owner = owner;
  list.append(...numbers.slice(list.childElementCount).map(thumb)); // what is there keeps its focus
  for (const [place, number] of numbers.entries()) {
    list.children[place].firstChild.ariaCurrent = number === view ? "true" : null;
  }
}

function thumb(number) {
  const item = document.createElement("li");
  const button = item.appendChild(document.createElement("button"));
  button.type = "button";
  button.className = "thumb";
  const image = button.appendChild(new Image());
  image.src = results[number].after;
  image.alt = "";
  button.appendChild(document.createElement("span")).textContent = results[number].label;
  button.addEventListener("click", () => {
    show(number);
    $("thumbs").children[number].firstChild.focus({ preventScroll: true });
  });
  return item;
}

function cut() {
  $("compare").style.setProperty("--cut", `${$("slider").value}%`);
}
$("slider").addEventListener("input", cut);
$("before").addEventListener("load", ({ target }) => {
  $("compare").style.setProperty("--ratio", target.naturalWidth / target.naturalHeight);
});
$("before").addEventListener("error", () => { if (view === null) $("view").hidden = true; });
cut(); // browsers keep a form's values over a reload

// Pictures out.

async function drawn(blob, type) {
  const bitmap = await createImageBitmap(blob);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0);
  return canvas.convertToBlob({ type, quality: 0.95 });
}

async function contactSheet() {
  const shown = sheet.map((number) => results[number]);
  const pictures = [[await createImageBitmap(shown[0].photoBlob), words.your_photo]];
  for (const { blob, label } of shown) pictures.push([await createImageBitmap(blob), label]);
  const columns = Math.ceil(Math.sqrt(pictures.length));
  const [width, gap, caption] = [Math.min(480, Math.floor(6000 / columns)), 24, 44];
  const height = Math.round(width * Math.max(...pictures.map(([bitmap]) => bitmap.height / bitmap.width)));
  const rows = Math.ceil(pictures.length / columns);
  const canvas = new OffscreenCanvas(columns * (width + gap) + gap, rows * (height + caption + gap) + gap);
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = "#1e1d1b";
  context.font = "22px system-ui, sans-serif";
  for (const [place, [bitmap, label]] of pictures.entries()) {
    const x = gap + (place % columns) * (width + gap);
    const y = gap + Math.floor(place / columns) * (height + caption + gap);
    const drawnHeight = width * bitmap.height / bitmap.width;
    context.drawImage(bitmap, x, y + height - drawnHeight, width, drawnHeight);
    context.fillText(label, x, y + height + 30, width);
  }
  return canvas.convertToBlob({ type: "image/png" });
}

const shownPicture = () => (view === "sheet" ? contactSheet() : Promise.resolve(results[view].blob));
const nameShown = () => (view === "sheet" ? "try-on-all-styles.png" : results[view].name);

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
$("png").addEventListener("click", async () => save(await shownPicture(), nameShown()));
$("jpeg").addEventListener("click", async () => {
  save(await drawn(await shownPicture(), "image/jpeg"), nameShown().replace(/png$/, "jpg"));
});
$("copy").hidden = !navigator.clipboard?.write; // browsers have it on safe addresses only
$("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": shownPicture() })]);
    tellCopied(words.copied);
  } catch {
    tellCopied(words.not_copied);
  }
});
function tellCopied(text) {
  announce(text);
  const before = $("copy").textContent;
  $("copy").textContent = text;
  setTimeout(() => { $("copy").textContent = before; }, 2500);
}
$("share").hidden = !navigator.canShare?.({ files: [new File([""], "a.png", { type: "image/png" })] });
$("share").addEventListener("click", async () => {
  const file = new File([await shownPicture()], nameShown(), { type: "image/png" });
  await navigator.share({ files: [file] }).catch(() => {}); // the person closed the sheet
});

function fit(fitted) {
  $("full").querySelector(".pan").classList.toggle("fitted", fitted);
  $("fit").ariaPressed = String(fitted);
}
$("large").addEventListener("click", async () => {
  $("full-image").src = URL.createObjectURL(await shownPicture());
  fit(true);
  $("full").showModal();
});
$("full").addEventListener("close", () => URL.revokeObjectURL($("full-image").src));
$("close").addEventListener("click", () => $("full").close());
$("fit").addEventListener("click", () => fit($("fit").ariaPressed !== "true"));
$("full-image").addEventListener("click", () => fit($("fit").ariaPressed !== "true"));

// The other language, without losing the photo.

document.querySelector("nav").addEventListener("click", async (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  try {
    const other = new DOMParser().parseFromString(await (await fetch(link.href)).text(), "text/html");
    const [from, to] = [other, document].map((each) => [...each.querySelectorAll("[data-t]")]);
    if (from.length !== to.length) throw new Error("the styles have changed");
    for (const [place, element] of to.entries()) {
      if (!element.childElementCount) element.textContent = from[place].textContent;
      for (const name of ["aria-label", "alt", "title", "placeholder"]) {
        if (from[place].hasAttribute(name)) element.setAttribute(name, from[place].getAttribute(name));
      }
    }
    words = JSON.parse(other.body.dataset.words);
    language = root.lang = other.documentElement.lang;
    form.action = other.getElementById("form").getAttribute("action");
    for (const each of document.querySelectorAll("nav a")) each.ariaCurrent = each === link ? "true" : null;
    history.replaceState(history.state, "", link.href);
    if (photo) $("choose").textContent = words.photo_other;
    clear();
    announce("");
    render();
  } catch {
    location = link.href;
  }
});
