// What has changed, when and why; and how long moved calls were without something.

import { $, el, svg, when } from "./dom.js";
import { ask } from "./api.js";

const KEPT = 64;

export async function generations() {
  const { generations } = await ask("/v1/generations");
  $("history").replaceChildren(...generations.slice(0, KEPT).map(item));
}

export function add(generation) {
  const list = $("history");
  list.prepend(item(generation));
  while (list.children.length > KEPT) list.lastChild.remove();
}

function item({ generation, at, configured, changes, left_out: more }) {
  const said = changes.map((change) => `${change.of} ${change.name}: ${change.from} → ${change.to}${change.reason ? ` by ${change.reason}` : ""}`);
  if (configured) said.unshift("a configuration was taken");
  if (more) said.push(`and ${more} more`);
  return el("li", { value: generation }, when(at), " ", said.join("; ") || "nothing that is remembered");
}

const GAPS = [["bascule_gap_media_seconds", "carriers heard nothing"], ["bascule_gap_conversation_seconds", "carriers heard nobody"]];

/** From the metrics, which need no token. */
export async function gaps() {
  const text = await (await fetch("/metrics", { credentials: "omit", cache: "no-store" })).text();
  $("gaps").replaceChildren(...GAPS.map(([metric, words]) => picture(words, buckets(text, metric))));
}

function buckets(text, metric) {
  const found = text.matchAll(new RegExp(`^${metric}_bucket\\{le="([^"]+)"\\} (\\d+)`, "gm"));
  let before = 0;
  return [...found].map(([, le, total]) => {
    const n = Number(total) - before;
    before = Number(total);
    return [le === "+Inf" ? "longer" : `${Math.round(Number(le) * 1000)} ms`, n];
  });
}

function picture(words, bars) {
  const total = bars.reduce((sum, [, n]) => sum + n, 0);
  const most = Math.max(1, ...bars.map(([, n]) => n));
  if (!total) return el("p", {}, `${words}: in no call since the start`);
  const label = `${words}: ${bars.filter(([, n]) => n).map(([le, n]) => `${n} up to ${le}`).join(", ")}`;
  const drawn = bars.flatMap(([le, n], i) => {
    const height = n / most * 60;
    return [svg("rect", { x: i * 46 + 4, y: 70 - height, width: 38, height }),
      svg("text", { x: i * 46 + 23, y: 84, "text-anchor": "middle" }, le),
      svg("text", { x: i * 46 + 23, y: 66 - height, "text-anchor": "middle" }, n ? String(n) : "")];
  });
  return el("figure", {}, el("figcaption", {}, `${words}, ${total} calls since the start`),
    el("div", { className: "scroll" }, svg("svg", { viewBox: `0 0 ${bars.length * 46 + 8} 90`, role: "img", "aria-label": label, class: "bars" }, ...drawn)));
}
