// Regions on top: state, evidence, live calls and how these have gone lately.

import { $, el, svg, state, since } from "./dom.js";
import { drain, drill } from "./act.js";

/** Seconds of the little picture. */
const SPAN = 120;

const history = new Map();
const cards = new Map();

export function show(now, may) {
  const box = $("regions");
  for (const region of now.regions) {
    remember(region);
    let card = cards.get(region.region);
    if (!card) {
      card = make(region.region, may);
      cards.set(region.region, card);
      box.append(card.node);
    }
    fill(card, region);
  }
  const names = new Set(now.regions.map((region) => region.region));
  for (const [name, card] of cards) {
    if (!names.has(name)) {
      card.node.remove();
      cards.delete(name);
    }
  }
}

export function clear() {
  cards.clear();
  history.clear();
  $("regions").replaceChildren();
}

/** Points of a picture go on while nothing changes. */
export function tick(now) {
  for (const region of now?.regions ?? []) {
    remember(region);
    const card = cards.get(region.region);
    if (card) fill(card, region);
  }
}

function remember(region) {
  const points = history.get(region.region) ?? [];
  const at = Math.floor(Date.now() / 1000);
  if (points.at(-1)?.[0] === at) points.pop();
  points.push([at, region.answered]);
  while (points[0][0] < at - SPAN) points.shift();
  history.set(region.region, points);
}

function make(name, may) {
  const words = el("p", { className: "state-line" });
  const calls = el("p", { className: "number" });
  const picture = el("div", { className: "spark" });
  const evidence = el("p", { className: "small" });
  const title = may.edge ? undefined : "your token lacks telephony.edge.edit";
  const button = (text, go) => el("button", { type: "button", disabled: !may.edge, title, onclick: go }, text);
  const close = button("Drain…", () => drain("regions", name, close.dataset.drained === "true"));
  const cut = button("Drill…", () => drill(name));
  const node = el("article", { className: "card", tabIndex: 0, "aria-label": `region ${name}` },
    el("h3", {}, name), words, calls, picture, evidence, el("p", { className: "buttons" }, close, cut));
  node.dataset.region = name;
  return { node, words, calls, picture, evidence, close };
}

function fill(card, region) {
  const { node, words, calls, picture, evidence, close } = card;
  node.dataset.state = region.state;
  const said = [state(region.state)];
  if (region.drained) said.push(" ", state("drained"));
  if (region.drill !== undefined) said.push(" ", el("span", { className: "state drill" }, `⚠ drill of ${region.drill}%`));
  words.replaceChildren(...said, ` for ${since(region.since)}`);
  const moving = region.moving ? `, ${region.moving} moving` : "";
  calls.replaceChildren(el("strong", {}, String(region.answered)), ` calls${moving}, ${region.hunting} being set up`);
  picture.replaceChildren(spark(history.get(region.region)));
  const reason = region.reason ? `; last switch by ${region.reason}` : "";
  const drained = region.edges_drained && !region.drained ? `, ${region.edges_drained} drained` : "";
  evidence.textContent = `${region.edges_up} of ${region.edges} edges up${drained}${reason}`;
  close.textContent = region.drained ? "Open again…" : "Drain…";
  close.dataset.drained = String(region.drained);
}

function spark(points) {
  const most = Math.max(1, ...points.map(([, n]) => n));
  const last = points.at(-1)[0];
  const xy = points.map(([at, n]) => `${((at - last + SPAN) / SPAN * 120).toFixed(1)},${(29 - n / most * 27).toFixed(1)}`);
  const label = `answered calls in the last two minutes: now ${points.at(-1)[1]}, at most ${most}`;
  return svg("svg", { viewBox: "0 0 120 30", role: "img", "aria-label": label, preserveAspectRatio: "none" },
    svg("polyline", { points: xy.join(" "), fill: "none", "vector-effect": "non-scaling-stroke" }));
}
