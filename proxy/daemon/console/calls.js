// Live calls: as many as there are, of which only those in sight have elements.

import { $, el, state, since } from "./dom.js";
import { follow } from "./api.js";
import { open } from "./call.js";

/** Height of a row in pixels, as the style sheet has it. */
const ROW = 30;
/** Rows beyond what is in sight. */
const SPARE = 8;

let calls = new Map();
let order = [];
let chosen = null;
let stop = null;
let whole = false;
let asked = 0;

const inner = el("div", { className: "inner", role: "presentation" });

export function begin(lost) {
  const box = $("calls");
  box.replaceChildren(head(), inner);
  box.onscroll = draw;
  box.onkeydown = keys;
  new ResizeObserver(draw).observe(box);
  $("search").onsubmit = (event) => {
    event.preventDefault();
    search(lost);
  };
  search(lost);
}

export function end() {
  stop?.abort();
  clear();
}

function clear() {
  calls = new Map();
  order = [];
  chosen = null;
  whole = false;
  inner.replaceChildren();
}

function search(lost) {
  stop?.abort();
  stop = new AbortController();
  clear();
  draw();
  const query = new URLSearchParams({ follow: "true" });
  for (const name of ["number", "trunk", "region", "state"]) {
    const value = $(name).value.trim();
    if (value) query.set(name, value);
  }
  let fresh = true;
  follow(`/v1/calls?${query}`, stop.signal, (event, data) => {
    if (event !== "calls") return;
    // A connection that was made again begins with all calls.
    if (fresh) clear();
    fresh = false;
    take(data);
  }, (error, final) => {
    fresh = true;
    $("calls-words").textContent = final ? `${error.message}: ${error.advice}` : "the connection is lost; trying again";
    lost(error, final);
  });
}

function take(data) {
  for (const call of data.calls) {
    if (!calls.has(call.call)) order.push(call.call);
    calls.set(call.call, call);
  }
  if (data.gone.length) {
    for (const name of data.gone) calls.delete(name);
    order = order.filter((name) => calls.has(name));
  }
  whole ||= data.whole;
  $("calls-words").textContent = `${calls.size} call${calls.size === 1 ? "" : "s"}${whole ? "" : ", more are coming"}`;
  soon();
}

function soon() {
  if (asked) return;
  asked = requestAnimationFrame(() => {
    asked = 0;
    draw();
  });
}

function draw() {
  const box = $("calls");
  box.setAttribute("aria-rowcount", String(order.length));
  inner.style.height = `${order.length * ROW}px`;
  const first = Math.max(0, Math.floor(box.scrollTop / ROW) - SPARE);
  const last = Math.min(order.length, Math.ceil((box.scrollTop + box.clientHeight) / ROW) + SPARE);
  const rows = [];
  for (let i = first; i < last; i++) rows.push(row(calls.get(order[i]), i));
  inner.replaceChildren(...rows);
  box.setAttribute("aria-activedescendant", chosen ? `row-${chosen}` : "");
}

function head() {
  const names = [["c-state", "state"], ["c-from", "from"], ["c-to", "to"], ["c-trunk", "trunk"], ["c-region", "region"],
    ["c-target", "target"], ["c-age", "for"], ["c-moves", "moved"]];
  return el("div", { className: "row head", role: "row" },
    ...names.map(([name, text]) => el("span", { className: name, role: "columnheader" }, text)));
}

function row(call, i) {
  const cell = (name, ...text) => el("span", { className: name, role: "gridcell" }, ...text);
  const node = el("div", { className: "row", role: "row", id: `row-${call.call}`, "aria-rowindex": i + 1 },
    cell("c-state", state(call.state)), cell("c-from", call.calling || "–"), cell("c-to", call.called || "–"),
    cell("c-trunk", call.trunk ?? "–"), cell("c-region", call.region ?? "–"), cell("c-target", call.target ?? "–"),
    cell("c-age", since(call.answered ?? call.started)), cell("c-moves", call.moves ? `${call.moves} ×` : ""));
  node.style.transform = `translateY(${i * ROW}px)`;
  if (call.call === chosen) node.setAttribute("aria-selected", "true");
  node.onclick = () => {
    chosen = call.call;
    draw();
    open(call.call);
  };
  return node;
}

function keys(event) {
  const at = chosen === null ? -1 : order.indexOf(chosen);
  const page = Math.max(1, Math.floor($("calls").clientHeight / ROW) - 1);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: order.length - 1 }[event.key];
  if (event.key === "Enter" && chosen !== null) open(chosen);
  if (to === undefined || order.length === 0) return;
  event.preventDefault();
  const index = Math.min(order.length - 1, Math.max(0, to));
  chosen = order[index];
  const box = $("calls");
  box.scrollTop = Math.min(box.scrollTop, index * ROW);
  box.scrollTop = Math.max(box.scrollTop, (index + 1) * ROW - box.clientHeight);
  draw();
}

/** Ages go on. */
export function tick() {
  if (calls.size) draw();
}
