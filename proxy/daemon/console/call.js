// One call: its ladder, and beside it what it is, its media as it goes on, whereto it was tried, what its moves cost.

import { $, el, state, table, when } from "./dom.js";
import { ask } from "./api.js";
import { draw } from "./ladder.js";
import { follow } from "./media.js";

let may = {};
/** Ends the look that is being had. */
let stop = null;

export function allow(what) {
  may = what;
}

export async function open(name) {
  const dialog = $("call");
  $("call-title").textContent = `Call ${name}`;
  $("call-body").replaceChildren(el("p", {}, "…"));
  const end = $("call-end");
  end.hidden = !may.calls;
  end.textContent = "End this call";
  end.onclick = () => {
    // Asked for twice: the first press arms it.
    if (end.textContent === "End this call") end.textContent = "Really end it";
    else finish(name);
  };
  $("call-close").onclick = () => dialog.close();
  $("call-again").onclick = () => look(name);
  dialog.onclose = () => stop?.abort();
  if (!dialog.open) dialog.showModal();
  await look(name);
}

async function look(name) {
  stop?.abort();
  stop = new AbortController();
  const { signal } = stop;
  try {
    const call = await ask(`/v1/calls/${encodeURIComponent(name)}`);
    // Another one may have been opened meanwhile.
    if (signal.aborted) return;
    const ladder = el("section", { "aria-label": "Ladder" });
    const media = el("section", { "aria-label": "Media" });
    $("call-body").replaceChildren(el("div", { className: "beside" }, ladder, el("div", {}, media, ...shown(call))));
    follow(call, media, signal);
    await draw(call, ladder);
  } catch (error) {
    if (signal.aborted) return;
    $("call-body").replaceChildren(el("p", { className: "warning" }, `${error.message} (${error.advice ?? ""})`));
  }
}

async function finish(name) {
  try {
    await ask(`/v1/calls/${encodeURIComponent(name)}`, "DELETE", { why: "console" });
    $("call").close();
  } catch (error) {
    $("call-body").append(el("p", { className: "warning" }, `✕ ${error.message} (${error.advice ?? ""})`));
  }
}

const ms = (n) => (n === undefined ? "–" : `${n} ms`);

function shown(call) {
  const facts = [
    ["state", state(call.state)], ["from", call.calling], ["to", call.called], ["direction", call.direction],
    ["trunk", call.trunk], ["site", call.site], ["region", call.region], ["target", call.target], ["source", call.source],
    ["began", when(call.started)], ["rang", when(call.ringing)], ["answered", when(call.answered)],
    ["A-leg", call.a_call_id], ["B-leg", call.b_call_id], ["generation", call.generation],
  ].filter(([, value]) => value !== undefined && value !== "");
  const parts = [el("dl", {}, ...facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]))];
  const steps = call.steps.map((step) => [when(step.at), step.target, step.region ?? "", step.outcome, step.reason ?? "", step.code ?? ""]);
  parts.push(el("h3", {}, "Hunt"), table(["at", "target", "region", "outcome", "reason", "code"], steps));
  for (const [n, move] of call.receipts.entries()) parts.push(el("h3", {}, `Receipt of move ${n + 1}`), receipt(move));
  return parts;
}

function receipt(move) {
  return table(["", ""], [
    ["reason", move.reason], ["outcome", move.outcome], ["from", move.from], ["to", move.to ?? "–"], ["detected", when(move.detected)],
    ["answered after", ms(move.answered_ms)], ["silence", ms(move.gap_media_ms)], ["nobody heard", ms(move.gap_conversation_ms)],
  ]);
}
