// Elements. What comes from the network is text here, never markup.

export const $ = (id) => document.getElementById(id);

/** An element with properties and children; strings become text. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name in node && name !== "list" && name !== "role") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined).map(asNode));
  return node;
}

function asNode(child) {
  return child instanceof Node ? child : document.createTextNode(String(child));
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.map(asNode));
  return node;
}

/** A state is said by a sign and a word; the colour only repeats them. */
const SIGNS = {
  up: "●", suspect: "◐", backoff: "◐", down: "✕", drained: "▽", drill: "⚠",
  hunting: "…", ringing: "♪", answered: "●", moving: "⇄", closing: "○",
};

export function state(word) {
  return el("span", { className: `state ${word}` }, `${SIGNS[word] ?? "?"} ${word}`);
}

/** A table; rows are lists of strings or nodes. */
export function table(head, rows) {
  const cells = (tag, row) => el("tr", {}, ...row.map((cell) => el(tag, tag === "th" ? { scope: "col" } : {}, cell ?? "")));
  return el("div", { className: "scroll" },
    el("table", {}, el("thead", {}, cells("th", head)), el("tbody", {}, ...rows.map((row) => cells("td", row)))));
}

/** `14:03:07`, in the reader's time; the whole instant when pointed at. */
export function when(instant) {
  if (!instant) return "";
  const at = new Date(instant);
  const today = at.toDateString() === new Date().toDateString();
  const text = today ? at.toLocaleTimeString() : at.toLocaleString();
  return el("time", { dateTime: instant, title: instant }, text);
}

/** `3 min 20 s` since then. */
export function since(instant, now = Date.now()) {
  const s = Math.max(0, Math.floor((now - Date.parse(instant)) / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}
