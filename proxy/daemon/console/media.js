// The media of a call while it is shown: a column for each direction, told anew every second.

import { el } from "./dom.js";
import { ask, Refused } from "./api.js";

/** How often it is asked for, in milliseconds. */
const EVERY = 1000;

/** Why there is nothing to show. */
const ABSENT = {
  bypass: "It goes past us: the mode of [media] is bypass.",
  no_media: "There is none yet.",
  no_session: "The relay has no session of it: none yet, or none any more.",
  busy: "The relay is asked too much; it is asked again.",
  no_answer: "The relay has not answered in time; it is asked again.",
  no_relay: "The relay is not there: see the log.",
};

/** A sign for each state; the word stands beside it. */
const SIGNS = { flowing: "●", silent: "✕", unheard: "…", held: "‖", unconnected: "…" };

const ms = (us) => (us === undefined ? "–" : `${(us / 1000).toFixed(1)} ms`);
const seconds = (n) => `${(n / 1000).toFixed(1)} s`;

/** Shows a call's media in a node until the signal is given, or the call is over. */
export async function follow(call, into, signal) {
  show(call, call.media, into);
  while (await later(signal)) {
    if (document.hidden) continue;
    try {
      const now = await ask(`/v1/calls/${encodeURIComponent(call.call)}`, "GET", undefined, signal);
      show(call, now.media, into);
    } catch (error) {
      if (signal.aborted) return;
      const over = error instanceof Refused && error.status === 404;
      note(into, over ? "○ The call is over; this is what was told last." : `⚠ This is not fresh: ${error.message}`);
      // What is refused will be refused again; a service that is busy will not be for long.
      if (error instanceof Refused && error.status !== 503) return;
    }
  }
}

/** After a while; false if nobody looks any more. */
function later(signal) {
  return new Promise((go) => {
    setTimeout(() => go(!signal.aborted), EVERY);
  });
}

function note(into, text) {
  into.querySelector(".warning")?.remove();
  into.append(el("p", { className: "warning", role: "status" }, text));
}

function show(call, media, into) {
  const words = (why) => el("p", { className: "small" }, ABSENT[why] ?? why);
  const parts = media.absent ? [words(media.absent)] : media.lines.flatMap((line) => [
    line.absent ? words(line.absent) : sheet(call, line, media.lines.length > 1),
    dropped(line.drops ?? {}),
  ]);
  into.replaceChildren(el("h3", {}, "Media"), ...parts.filter(Boolean));
}

function sheet(call, line, several) {
  const [a, b] = call.direction === "inbound" ? ["carrier", "edge"] : ["edge", "carrier"];
  const flows = [line.from_a, line.from_b];
  const row = (name, value) => el("tr", {}, el("th", { scope: "row" }, name), ...flows.map((flow) => el("td", {}, value(flow))));
  return el("div", { className: "scroll" }, el("table", { className: "media" },
    el("caption", { className: several ? "small" : "unseen" }, `Line ${line.line} of the session descriptions`),
    el("thead", {}, el("tr", {}, el("td"), el("th", { scope: "col" }, `from the ${a} (A)`), el("th", { scope: "col" }, `from the ${b} (B)`))),
    el("tbody", {},
      row("state", heard), row("carried by", (flow) => flow.carried_by), row("comes from", (flow) => flow.from ?? "–"),
      row("packets", (flow) => flow.packets), row("bytes", (flow) => flow.bytes),
      row("lost", (flow) => `${flow.lost} (${share(flow)}%)`),
      row("jitter", (flow) => ms(flow.jitter_us)),
      row("late, twice", (flow) => `${flow.reordered}, ${flow.duplicates}`),
      row("not passed on", (flow) => flow.packets - flow.forwarded),
      row("RTCP", (flow) => flow.rtcp),
      row("round trip", (flow) => ms(flow.reported?.rtt_us)),
      row("loss at its receiver", (flow) => (flow.reported ? `${flow.reported.loss_percent}%` : "–")),
      row("MOS (G.107)", (flow) => (flow.mos === undefined ? "–" : flow.mos.toFixed(2))))));
}

function heard(flow) {
  const text = flow.state === "silent" ? `silent for ${seconds(flow.last_ms)}` : flow.state;
  return el("span", { className: `state ${flow.state}` }, `${SIGNS[flow.state] ?? "?"} ${text}${flow.bridged ? ", bridged" : ""}`);
}

function share({ packets, lost }) {
  return (packets + lost ? 100 * lost / (packets + lost) : 0).toFixed(1);
}

function dropped(drops) {
  const said = Object.entries(drops).map(([why, n]) => `${n} ${why}`).join(", ");
  return said ? el("p", { className: "small" }, `Dropped: ${said}`) : null;
}
