// Trunks with their load, and sites down to their edges.

import { $, el, state, table, since } from "./dom.js";
import { ask } from "./api.js";
import { drain } from "./act.js";

let known = [];

export async function trunks() {
  known = (await ask("/v1/trunks")).trunks;
  draw();
}

/** New numbers of calls. */
export function load(now) {
  for (const { trunk, calls } of now.trunks) {
    const found = known.find((one) => one.trunk === trunk);
    if (found) found.calls = calls;
  }
  draw();
}

function draw() {
  $("trunks").replaceChildren(table(["trunk", "calls", "limit", "load", "calls/s", "targets"], known.map((trunk) => [
    trunk.trunk, trunk.calls, trunk.max_calls ?? "none", bar(trunk), trunk.calls_per_second ?? "none",
    el("ul", {}, ...trunk.targets.map((target) => el("li", {}, state(target.state), ` ${target.target} ${target.address} ${target.transport}`))),
  ])));
}

function bar(trunk) {
  if (!trunk.max_calls) return "–";
  const share = Math.round(trunk.calls / trunk.max_calls * 100);
  return el("span", {}, el("meter", { min: 0, max: trunk.max_calls, high: trunk.max_calls * 0.8, value: trunk.calls }), ` ${share}%`);
}

export async function sites(may) {
  const [sites, groups, edges] = await Promise.all([
    may.sees("telephony.site.view") ? ask("/v1/sites") : { sites: [] }, ask("/v1/edge-groups"), ask("/v1/edges"),
  ]);
  const unfolded = new Set([...document.querySelectorAll("#sites details[open]")].map((node) => node.dataset.name));
  const folded = (name, title, ...inside) => {
    const node = el("details", { open: unfolded.has(name) }, el("summary", {}, title), ...inside);
    node.dataset.name = name;
    return node;
  };
  const of = (group) => folded(`group ${group.edge_group}`, `${group.edge_group}, region ${group.region}: ${group.usable} of ${group.edges.length} edges take calls`,
    table(["edge", "state", "for", "address", "round trip", "weight", "evidence", ""],
      edges.edges.filter((edge) => edge.edge_group === group.edge_group).map((edge) => row(edge, may))));
  const used = new Set(sites.sites.flatMap((site) => site.edge_groups));
  const named = (name) => groups.edge_groups.filter((group) => group.edge_group === name).map(of);
  const rest = groups.edge_groups.filter((group) => !used.has(group.edge_group));
  $("sites").replaceChildren(
    ...sites.sites.map((site) => folded(`site ${site.site}`, `${site.site}: ${site.usable} edges take calls`, ...site.edge_groups.flatMap(named))),
    ...rest.map(of));
}

function row(edge, may) {
  const missed = edge.missed ? `${edge.missed} probes missed; ` : "";
  const title = may.edge ? undefined : "your token lacks telephony.edge.edit";
  const button = el("button", { type: "button", disabled: !may.edge, title, onclick: () => drain("edges", edge.edge, edge.drained) },
    edge.drained ? "Open again…" : "Drain…");
  const states = el("span", {}, state(edge.state), edge.drained ? " " : "", edge.drained ? state("drained") : "");
  return [edge.edge, states, since(edge.since), `${edge.address} ${edge.transport}`,
    edge.round_trip_ms === undefined ? "–" : `${edge.round_trip_ms} ms`, edge.weight,
    `${missed}${edge.failures} of ${edge.fall}${edge.reason ? `, ${edge.reason}` : ""}`, button];
}
