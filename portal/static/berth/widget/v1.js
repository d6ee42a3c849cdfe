/* Berth's widget. <berth-widget key="pk_…" title theme="light|dark|auto" height="560"> shows the form of that key.
   Look: --berth-accent, --berth-bg, --berth-fg, --berth-muted, --berth-radius, --berth-font.
   Events: berth:ready, berth:submit, berth:result (detail: id, text, value and unit, or label), berth:error. */
const HOME = new URL(import.meta.url).origin;
const LOOK = ["accent", "bg", "fg", "muted", "radius", "font"];
const TOLD = ["ready", "submit", "result", "error"].map((name) => `berth:${name}`);
const sheet = new CSSStyleSheet();
sheet.replaceSync(":host{display:block}iframe{display:block;width:100%;height:0;border:0;visibility:hidden}");
const dark = matchMedia("(prefers-color-scheme: dark)");

class BerthWidget extends HTMLElement {
  static observedAttributes = ["key", "theme", "style", "class"];
  #root = this.attachShadow({ mode: "open" });
  #hear = (event) => this.#heard(event);
  #dress = () => this.#hello();
  #box = document.createElement("div");
  #frame;
  #eye;
  #clock;

  connectedCallback() {
    this.#root.adoptedStyleSheets = [sheet];
    this.#root.replaceChildren(this.#box);
    this.#reserve(parseInt(this.getAttribute("height")) || 560);
    addEventListener("message", this.#hear);
    dark.addEventListener("change", this.#dress);
    this.#eye = new IntersectionObserver(([seen]) => seen.isIntersecting && this.#load(), { rootMargin: "400px" });
    this.#eye.observe(this);
  }

  disconnectedCallback() {
    removeEventListener("message", this.#hear);
    dark.removeEventListener("change", this.#dress);
    this.#eye.disconnect();
    clearTimeout(this.#clock);
    this.#frame?.remove();
    this.#frame = null;
  }

  attributeChangedCallback(name, before) {
    if (name === "key" && before && this.isConnected) {
      this.disconnectedCallback();
      this.connectedCallback();
    } else this.#hello();
  }

  get #address() {
    return `${HOME}/w/${encodeURIComponent(this.getAttribute("key"))}`;
  }

  get #scheme() {
    const theme = this.getAttribute("theme");
    if (theme === "light" || theme === "dark") return theme;
    let page = theme === "auto" ? "light dark" : getComputedStyle(this).colorScheme;
    if (page === "normal") page = document.querySelector("meta[name=color-scheme]")?.content ?? page;
    return page.includes("dark") && (!page.includes("light") || dark.matches) ? "dark" : "light";
  }

  #reserve(height) {
    this.#box.style.minHeight = `${height}px`;
  }

  #load() {
    this.#eye.disconnect();
    const frame = (this.#frame = document.createElement("iframe"));
    frame.title = this.title || "Form";
    frame.referrerPolicy = "origin";
    if (HOME !== location.origin) frame.sandbox = "allow-scripts allow-forms allow-same-origin allow-popups allow-popups-to-escape-sandbox";
    frame.onload = this.#dress;
    frame.src = `${this.#address}?embed=1&theme=${this.#scheme}`;
    this.#clock = setTimeout(() => this.#fail(), 8000);
    this.#box.append(frame);
  }

  #hello() {
    const style = getComputedStyle(this);
    const detail = { scheme: this.#scheme };
    for (const name of LOOK) detail[name] = style.getPropertyValue(`--berth-${name}`).trim();
    this.#frame?.contentWindow?.postMessage({ type: "berth:hello", detail }, HOME);
  }

  #heard({ source, origin, data }) {
    if (!this.#frame || source !== this.#frame.contentWindow || origin !== HOME) return;
    if (data?.type === "berth:size") {
      const height = Math.min(Math.max(Number(data.detail.height) || 0, 80), 8000);
      this.#frame.style.height = `${height}px`;
      this.#reserve(0);
    } else if (TOLD.includes(data?.type)) {
      if (data.type === "berth:ready") {
        clearTimeout(this.#clock);
        this.#frame.style.visibility = "visible";
      }
      this.#say(data.type, data.detail);
    }
  }

  #fail() {
    this.#frame.remove();
    this.#frame = null;
    this.#reserve(0);
    if (!this.childNodes.length) {
      const link = document.createElement("a");
      link.href = this.#address;
      link.textContent = this.title || "Open the form";
      this.append(link);
    }
    this.#root.append(document.createElement("slot"));
    this.#say("berth:error", { status: 0, reason: "blocked" });
  }

  #say(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }
}

customElements.get("berth-widget") || customElements.define("berth-widget", BerthWidget);
