// One call: its ladder, and beside it what it is, whereto it was tried, what its moves cost.

import { $, el, state, table, when } from "./dom.js";
import { ask } from "./api.js";
import { draw } from "./ladder.js";

let may = {};

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
  if (!dialog.open) dialog.showModal();
  await look(name);
}

async function look(name) {
  try {
    const call = await ask(`/v1/calls/${encodeURIComponent(name)}`);
    // Another one may have been opened meanwhile.
    if ($("call-title").textContent !== `Call ${name}`) return;
    const ladder = el("section", { "aria-label": "Ladder" });
    $("call-body").replaceChildren(el("div", { className: "beside" }, ladder, el("div", {}, ...shown(call))));
    await draw(call, ladder);
  } catch (error) {
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
