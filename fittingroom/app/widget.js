// <fitting-room>: a shop's garment on the visitor's own photo (docs/api.md, "On a shop's page").
const API = new URL(".", import.meta.url);

const WORDS = { // English, Korean
  choose: ["Try it on your photo", "내 사진에 입어 보기"],
  take: ["Take a photo", "사진 찍기"],
  cancel: ["Cancel", "취소"],
  download: ["Download", "내려받기"],
  privacy: [
    `The photo you choose goes to ${API.host} for this try-on alone; nothing of it is kept.`,
    `고른 사진은 이번 입어 보기에만 쓰려고 ${API.host}(으)로 보내며, 어디에도 남기지 않습니다.`,
  ],
  before: ["your photo", "내 사진"],
  after: ["your photo with the new garment", "새 옷을 입은 내 사진"],
  slider: ["Before and after: how much is shown as it was", "전과 후: 원래 모습을 보이는 정도"],
  sending: ["Sending the photo…", "사진을 보내는 중…"],
  waiting: ["Waiting: number {n} in the line…", "차례를 기다리는 중: {n}번째…"],
  working: ["Trying it on…", "입어 보는 중…"],
  warning: ["Warning: ", "주의: "],
  setup: ["Trying on is not set up for this page. Tell the shop.", "이 페이지에서는 아직 입어 볼 수 없습니다. 쇼핑몰에 알려 주세요."],
  product: ["The picture of this garment cannot be used for trying on.", "이 옷의 사진으로는 입어 볼 수 없습니다."],
  often: ["Many people are trying things on. Try again in a minute.", "지금 많은 사람이 입어 보고 있습니다. 잠시 뒤에 다시 해 보세요."],
  failed: ["That did not work. Try again, or another photo.", "잘되지 않았습니다. 다시 하거나 다른 사진을 고르세요."],
};

// Where `detail` speaks to the shop's programmer, or of what is not on this page.
const OWN_WORDS = {
  no_key: "setup", closed: "setup", foreign_origin: "setup", no_style: "setup", unknown_style: "setup",
  unknown_target: "setup", empty_picture: "product", no_picture: "product", no_garment_on_picture: "product",
  nothing_near: "product", rate_limited: "often", too_many_at_once: "often",
};

const SHEET = new CSSStyleSheet();
SHEET.replaceSync(`
:host { display: block; max-width: 480px; font: 16px/1.45 system-ui, sans-serif; }
:host([hidden]), [hidden] { display: none !important; }
section {
  --ground: light-dark(#fff, #1d1e1f); --accent: light-dark(#1f5c4d, #8fd3bf);
  padding: 16px; border: 1px solid light-dark(#8a867c, #77746c); border-radius: 14px;
  background: var(--ground); color: light-dark(#1e1d1b, #f1efea); overflow-wrap: anywhere;
}
p, figure { margin: 12px 0 0; }
[part=privacy] { font-size: 14px; }
.wrong { color: light-dark(#a3211b, #ff9d94); }
.row { display: flex; flex-wrap: wrap; gap: 10px; }
button, a {
  flex: 1 1 120px; padding: 11px 16px; border: 1px solid var(--accent); border-radius: 12px; background: none;
  color: var(--accent); font: inherit; font-weight: 600; text-align: center; text-decoration: none; cursor: pointer;
}
button:first-child { background: var(--accent); color: var(--ground); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.compare { display: grid; border-radius: 12px; overflow: hidden; }
img { grid-area: 1 / 1; display: block; width: 100%; }
.after { clip-path: inset(0 0 0 var(--cut, 50%)); }
input { width: 100%; min-height: 32px; margin: 8px 0 0; accent-color: var(--accent); }
figure a { display: block; margin-top: 12px; }
`);

const refusal = (problem, language) => Object.assign(new Error(problem.code), { problem, language });

// One by one: pages may forbid HTML from strings (Trusted Types).
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const pause = (signal) => new Promise((resolve, reject) => {
  setTimeout(resolve, 1000);
  signal.addEventListener("abort", () => reject(signal.reason));
});

const button = (say) => make("button", { type: "button", part: "button", "data-say": say });

class FittingRoom extends HTMLElement {
  static observedAttributes = ["lang"];

  #choose = button("choose");
  #take = button("take");
  #cancel = button("cancel");
  #file = make("input", { type: "file", accept: "image/*", hidden: "" });
  #status = make("p", { role: "status", "aria-live": "polite", part: "status" });
  #problem = make("p", { role: "alert", class: "wrong", part: "problem" });
  #before = make("img", { "data-say": "before" });
  #after = make("img", { class: "after", "data-say": "after" });
  #compare = make("div", { class: "compare", part: "picture" }, this.#before, this.#after);
  #slider = make("input", { type: "range", min: 0, max: 100, value: 50, part: "slider", "data-say": "slider" });
  #warning = make("p", { class: "wrong", part: "warning" });
  #download = make("a", { download: "try-on.png", part: "button download", "data-say": "download" });
  #result = make("figure", { part: "result" }, this.#compare, this.#slider, this.#warning, this.#download);
  #running = null;
  #answer = null;
  #leaving = null;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [SHEET];
    const buttons = make("div", { class: "row" }, this.#choose, this.#take, this.#cancel, this.#file);
    const privacy = make("p", { part: "privacy", "data-say": "privacy" });
    root.append(make("section", { part: "base" }, buttons, privacy, this.#status, this.#problem, this.#result));
    this.#choose.addEventListener("click", () => this.#file.click());
    this.#take.addEventListener("click", () => {
      this.#file.setAttribute("capture", "environment");
      this.#file.click();
      this.#file.removeAttribute("capture");
    });
    this.#cancel.addEventListener("click", () => {
      this.#stop();
      this.#choose.focus();
    });
    this.#file.addEventListener("change", () => {
      const [photo] = this.#file.files;
      this.#file.value = ""; // the same file may be chosen again
      if (photo) this.#tryOn(photo);
    });
    this.#slider.addEventListener("input", () => {
      this.#compare.style.setProperty("--cut", `${this.#slider.value}%`);
    });
  }

  connectedCallback() {
    this.#leaving = new AbortController();
    addEventListener("pagehide", () => this.#stop(), { signal: this.#leaving.signal });
    this.#busy(false);
    this.#clear();
    this.attributeChangedCallback();
  }

  disconnectedCallback() {
    this.#leaving.abort();
    this.#stop();
    this.#clear();
  }

  attributeChangedCallback() {
    this.shadowRoot.firstChild.lang = this.#language;
    for (const element of this.shadowRoot.querySelectorAll("[data-say]")) {
      const text = this.#word(element.dataset.say);
      if (element.localName === "img") element.alt = text;
      else if (element.localName === "input") element.ariaLabel = text;
      else element.textContent = text;
    }
    this.#tell();
  }

  get #language() {
    const said = this.closest("[lang]")?.lang || navigator.language;
    return said.toLowerCase().split("-")[0] === "ko" ? "ko" : "en";
  }

  #word(key) {
    return WORDS[key][this.#language === "ko" ? 1 : 0];
  }

  #tell() {
    if (!this.#answer) return;
    const { message, warning } = this.#answer;
    this.#status.textContent = message[this.#language];
    this.#warning.textContent = warning ? this.#word("warning") + warning[this.#language] : "";
  }

  #busy(is) {
    this.#choose.hidden = is;
    this.#take.hidden = is || !navigator.maxTouchPoints;
    this.#cancel.hidden = !is;
  }

  #stop() {
    this.#running?.abort();
    this.#running = null;
    this.#status.textContent = "";
    this.#busy(false);
  }

  #clear() {
    this.#problem.textContent = "";
    this.#result.hidden = true;
    this.#answer = null;
    for (const image of [this.#before, this.#after]) {
      URL.revokeObjectURL(image.src);
      image.removeAttribute("src");
    }
  }

  #say(step, place) {
    const text = this.#word(step).replace("{n}", place);
    if (this.#status.textContent !== text) this.#status.textContent = text; // said once
  }

  async #call(path, signal, options = {}) {
    const headers = { "Accept-Language": this.#language, ...options.headers };
    if (this.getAttribute("key")) headers.Authorization = `Bearer ${this.getAttribute("key")}`;
    const response = await fetch(new URL(path, API), { credentials: "omit", ...options, signal, headers });
    if (response.ok) return response.json();
    const problem = await response.json().catch(() => ({ code: "unavailable", status: response.status }));
    throw refusal(problem, response.headers.get("Content-Language"));
  }

  async #form(photo, signal) {
    const form = new FormData();
    form.append("photo", photo, "photo");
    if (this.getAttribute("garment")) form.append("garment", this.getAttribute("garment"));
    const style = this.getAttribute("style-name");
    if (style) {
      form.append("style", style);
      return form;
    }
    const picture = await fetch(new URL(this.getAttribute("picture"), document.baseURI), { signal })
      .then((response) => (response.ok ? response.blob() : null))
      .catch(() => null);
    signal.throwIfAborted();
    if (!picture) throw refusal({ code: "no_picture" });
    form.append("picture", picture, "picture");
    return form;
  }

  async #tryOn(photo) {
    this.#stop();
    this.#clear();
    const running = this.#running = new AbortController();
    const { signal } = running;
    let job = null;
    this.#busy(true);
    this.#cancel.focus();
    this.#say("sending");
    try {
      const body = await this.#form(photo, signal);
      job = await this.#call("try-on", signal, { method: "POST", body, headers: { Prefer: "respond-async" } });
      while (job.status === "waiting" || job.status === "working") {
        this.#say(job.place ? "waiting" : "working", job.place);
        await pause(signal);
        job = await this.#call(`jobs/${job.id}`, signal);
      }
      this.#show(photo, await this.#call(`jobs/${job.id}/result`, signal));
    } catch (error) {
      if (!signal.aborted) await this.#fail(error, signal);
    } finally {
      // Ended where it is under way; the server keeps nothing.
      if (job) this.#call(`jobs/${job.id}`, undefined, { method: "DELETE", keepalive: true }).catch(() => {});
      if (this.#running === running) {
        this.#running = null;
        const focused = this.shadowRoot.activeElement === this.#cancel;
        this.#busy(false);
        if (focused) (this.#answer ? this.#slider : this.#choose).focus();
      }
    }
  }

  #show(photo, { image, ...answer }) {
    const bytes = Uint8Array.from(atob(image.base64), (letter) => letter.charCodeAt(0));
    this.#before.src = URL.createObjectURL(photo);
    this.#after.src = this.#download.href = URL.createObjectURL(new Blob([bytes], { type: image.media_type }));
    this.#answer = answer;
    this.#tell();
    this.#result.hidden = false;
    this.#fire("result", answer);
  }

  async #fail(error, signal) {
    let { problem, language } = error;
    if (!problem) {
      // Browsers hide which: the server is away, or this page may not ask. This file anybody may read.
      const there = await fetch(import.meta.url, { method: "HEAD", cache: "no-store", signal }).then(() => true, () => false);
      if (signal.aborted) return;
      problem = { code: there ? "foreign_origin" : "unreachable" };
    }
    const own = problem.field === "picture" ? "product" : OWN_WORDS[problem.code];
    const text = !own && problem.detail && language === this.#language ? problem.detail : this.#word(own ?? "failed");
    this.#status.textContent = "";
    this.#problem.textContent = text;
    this.#fire("problem", problem);
  }

  #fire(name, detail) {
    this.dispatchEvent(new CustomEvent(`fitting-room-${name}`, { detail, bubbles: true, composed: true }));
  }
}

customElements.define("fitting-room", FittingRoom);
