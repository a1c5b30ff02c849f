// A call's ladder: who said what to whom, and when. Each message is a line that opens.

import { el } from "./dom.js";
import { ask } from "./api.js";

/** What a message is called: `INVITE sdp`, `200 OK INVITE`. */
function label(text) {
  const [head, ...body] = text.split("\r\n\r\n");
  const [start, ...fields] = head.split("\r\n");
  const sdp = body.join("").trim() ? " sdp" : "";
  if (!start.startsWith("SIP/2.0 ")) return start.split(" ")[0] + sdp;
  const cseq = fields.find((field) => /^cseq\s*:/i.test(field)) ?? "";
  return `${start.slice(8)} ${cseq.split(/\s+/).pop()}${sdp}`;
}

/** `+201.5 ms`, `+12.345 s`: since the first message. */
function after(us) {
  return us < 1e6 ? `+${(us / 1e3).toFixed(1)} ms` : `+${(us / 1e6).toFixed(3)} s`;
}

/** The caller, us, and whoever was called, from left to right. */
function rails(messages) {
  const found = [];
  for (const { peer } of messages) {
    if (!found.includes(peer)) found.push(peer);
    if (found.length === 1) found.push(null);
  }
  return found;
}

/** Draws the ladder of a call into a node; what cannot be had is said there. */
export async function draw(call, into) {
  into.replaceChildren(el("p", {}, "…"));
  try {
    // By its Call-ID: it is kept when the call is over.
    const ladder = await ask(`/v1/calls/${encodeURIComponent(call.a_call_id)}/ladder`);
    into.replaceChildren(...drawn(call, ladder));
  } catch (error) {
    into.replaceChildren(el("p", { className: "small" }, `No ladder: ${error.message} (${error.advice ?? ""})`));
  }
}

function drawn(call, { messages, cut }) {
  const all = rails(messages);
  const [caller, callee] = call.direction === "inbound" ? ["carrier", "edge"] : ["edge", "carrier"];
  const side = (n) => (n === 0 ? caller : n === 1 ? "bascule" : callee);
  const name = (n) => (all[n] === null ? "bascule" : `${side(n)} ${all[n]}`);
  const columns = `repeat(${all.length}, minmax(9rem, 1fr))`;
  const first = messages[0].at_us;
  const marks = call.receipts.map((move) => ({ at: Date.parse(move.detected) * 1000, move }));
  const seen = new Set();
  const rows = [];
  for (const message of messages) {
    // The instant of a receipt has milliseconds: what happened in the same one stands below it.
    while (marks.length && marks[0].at <= message.at_us) rows.push(mark(marks.shift().move));
    const peer = all.indexOf(message.peer);
    const [from, to] = message.sent ? [1, peer] : [peer, 1];
    const key = `${message.sent} ${message.peer} ${message.text}`;
    const what = label(message.text) + (seen.has(key) ? ", again" : "");
    seen.add(key);
    rows.push(row(message, { from, to, what, name, columns, rails: all.length, when: after(message.at_us - first) }));
  }
  rows.push(...marks.map(({ move }) => mark(move)));
  const list = el("ol", { className: "ladder", "aria-label": `Ladder of ${messages.length} messages` }, ...rows);
  list.onkeydown = keys;
  const head = el("div", { className: "lanes head", "aria-hidden": "true" },
    ...all.map((peer, n) => el("span", {}, el("strong", {}, side(n)), peer === null ? "" : ` ${peer}`)));
  head.style.gridTemplateColumns = columns;
  return [el("div", { className: "scroll" }, el("div", { className: "sheet" }, el("div", { className: "rung" }, el("span"), head), list)),
    cut ? el("p", { className: "warning" }, "⚠ There are more; these are the first.") : null].filter(Boolean);
}

function row(message, { from, to, what, name, columns, rails: count, when }) {
  const right = from < to;
  const arrow = el("span", { className: `arrow ${right ? "right" : "left"}` }, el("span", {}, right ? `${what} ▶` : `◀ ${what}`));
  arrow.style.gridColumn = `${Math.min(from, to) + 1} / ${Math.max(from, to) + 2}`;
  // An arrow goes from the middle of its first column to the middle of its last.
  arrow.style.marginInline = `${50 / (Math.abs(to - from) + 1)}%`;
  const lanes = el("span", { className: "lanes", "aria-hidden": "true" }, ...Array.from({ length: count }, (_, n) => {
    const rail = el("span", { className: "rail" });
    rail.style.gridColumn = String(n + 1);
    return rail;
  }), arrow);
  lanes.style.gridTemplateColumns = columns;
  return el("li", {}, el("details", {},
    el("summary", { className: "rung", title: message.at }, el("span", { className: "when" }, when), lanes,
      el("span", { className: "unseen" }, `${what}, from ${name(from)} to ${name(to)}`)),
    el("pre", {}, message.text)));
}

function mark(move) {
  const gap = move.gap_media_ms === undefined ? "" : `, ${move.gap_media_ms} ms of silence`;
  return el("li", { className: "mark" }, `⇄ ${move.reason}: ${move.from} → ${move.to ?? "nowhere"}, ${move.outcome}${gap}`);
}

/** From message to message; Enter opens one. */
function keys(event) {
  const all = [...event.currentTarget.querySelectorAll("summary")];
  const at = all.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
  if (to === undefined || at < 0) return;
  event.preventDefault();
  all[Math.min(all.length - 1, Math.max(0, to))].focus();
}
