// Logging in, what is asked for from then on, and the keyboard.

import { $ } from "./dom.js";
import { ask, carry, follow } from "./api.js";
import * as regions from "./regions.js";
import * as calls from "./calls.js";
import * as call from "./call.js";
import * as tables from "./tables.js";
import * as history from "./history.js";

let stop = null;
let now = null;

$("login").onsubmit = async (event) => {
  event.preventDefault();
  const words = $("login-words");
  if (!isSecureContext) {
    words.textContent = "A token would be readable on its way: open this page over TLS, or by way of ssh -L.";
    return;
  }
  carry($("token").value.trim());
  try {
    const me = await ask("/v1/me");
    $("token").value = "";
    words.textContent = "";
    begin(me);
  } catch (error) {
    words.textContent = `${error.message} (${error.advice ?? "is the service running?"})`;
  }
};

$("leave").onclick = leave;

function begin(me) {
  const sees = (role) => me.roles.includes(role);
  const may = { sees, edge: sees("telephony.edge.edit"), calls: sees("telephony.calls.edit") };
  stop = new AbortController();
  $("door").hidden = true;
  $("desk").hidden = false;
  $("leave").hidden = false;
  $("who").textContent = me.name;
  call.allow(may);
  const visible = (part, yes) => { $(part).closest("section").hidden = !yes; };
  visible("calls", sees("telephony.calls.view"));
  visible("trunks", sees("telephony.trunk.view"));
  for (const part of ["regions", "sites", "history"]) visible(part, sees("telephony.edge.view"));
  if (sees("telephony.edge.view")) {
    follow("/v1/events", stop.signal, (event, data) => heard(event, data, may), lost);
    look(() => tables.sites(may), 5000);
    quietly(history.generations);
  }
  if (sees("telephony.trunk.view")) look(tables.trunks, 15000);
  if (sees("telephony.calls.view")) calls.begin(lost);
  look(history.gaps, 10000);
  const ticking = setInterval(() => {
    regions.tick(now);
    calls.tick();
  }, 1000);
  stop.signal.addEventListener("abort", () => clearInterval(ticking));
  $("h-regions").focus();
}

function heard(event, data, may) {
  $("link").textContent = "";
  if (event === "service") {
    now = data;
    regions.show(data, may);
    const { answered, hunting, closing } = data.calls;
    $("summary").textContent = `generation ${data.generation}: ${answered} calls answered, ${hunting} being set up, ${closing} ending`;
  }
  if (event === "trunks") tables.load(data);
  if (event === "generation") history.add(data);
}

function lost(error, final) {
  if (final && error.status === 401) {
    leave();
    $("login-words").textContent = "The token is not taken any more.";
    return;
  }
  $("link").textContent = `⚠ ${final ? error.message : "the connection is lost; trying again"}`;
}

function leave() {
  carry("");
  stop?.abort();
  calls.end();
  regions.clear();
  now = null;
  for (const part of ["trunks", "sites", "gaps", "history", "summary", "link", "who", "call-body"]) $(part).replaceChildren();
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  $("desk").hidden = true;
  $("leave").hidden = true;
  $("door").hidden = false;
  $("token").focus();
}

/** Now and then, one after the other; what fails is tried again. */
async function look(at, every) {
  const { signal } = stop;
  while (!signal.aborted) {
    if (!document.hidden) await quietly(at);
    await new Promise((go) => setTimeout(go, every));
  }
}

async function quietly(what) {
  try {
    await what();
  } catch (error) {
    console.warn(error.message);
  }
}

const KEYS = { r: "h-regions", c: "calls", t: "h-trunks", s: "h-sites", g: "h-history", "/": "number" };

document.onkeydown = (event) => {
  const typing = event.target.closest?.("input, select, textarea");
  if (typing || event.ctrlKey || event.altKey || event.metaKey || $("desk").hidden || document.querySelector("dialog[open]")) return;
  const to = KEYS[event.key] && $(KEYS[event.key]);
  if (!to) return;
  event.preventDefault();
  to.focus();
  to.scrollIntoView({ block: "start" });
};

$("token").focus();
