// The page of the service: what comes next for a user or after some items, and how that changes with one more item.
// By default items are only tried out: they are part of each request, and the server keeps nothing of them.

import { combobox } from "./combobox.js";
import { ask, Problem } from "./interface.js";
import { element, namesOf, number, showHistory, showList, showMemory, showModel, showTried } from "./view.js";
import { hideWhy, showWhy, whyIsOf } from "./why.js";

const ITEMS = 10; // of the list
const EVENTS = 50; // of the history
const EXPLAINING = 10; // of the last events

const $ = (id) => document.getElementById(id);

let model = null;
let user = null; // whose history it is, null for nobody's
let then = []; // {item, title} that are tried out, oldest first
let stored = { events: 0, history: [] }; // of the user
let mode = "try"; // what a click on an item does: try, record or why
let ranks = null; // item -> rank in the list before
let turn = 0; // the response to an older request is not shown
let adding = false; // one event at a time
let refused = null; // what is done again when there is a key

async function trying(work) {
  $("problem").hidden = true;
  try {
    await work();
    if ($("unlock").contains(document.activeElement)) $("user").focus();
    $("unlock").hidden = true;
  } catch (error) {
    failed(error, work);
  }
}

function failed(error, work) {
  if (!(error instanceof Problem)) throw error;
  $("unlock").hidden = error.status !== 401;
  if (error.status === 401) {
    refused = work;
    $("key").focus();
  }
  $("problem").textContent = error.message;
  $("problem").hidden = false;
  $("problem").scrollIntoView({ block: "nearest" });
}

// Ask for the list of `next`, and show it once all is there: what fails changes nothing.
async function show(next) {
  const wanted = { user, then, ...next };
  if (wanted.user === "." || wanted.user === "..") {
    throw new Problem(0, "The page cannot show a user of this name: browsers remove it from addresses.");
  }
  const mine = ++turn;
  model ??= await ask("model");
  const items = wanted.then.map((one) => one.item);
  const whose = about(wanted);
  const seen = $("seen").checked === (model.seen === "allowed") ? undefined : $("seen").checked ? "allowed" : "hidden";
  const begun = performance.now();
  const response = await ask("recommendations", { ...whose, k: ITEMS, seen });
  const took = performance.now() - begun;
  if (response.digest !== model.digest) model = await ask("model"); // another one is in use by now
  const history = await historyOf(wanted.user, response.events - items.length);
  if (mine !== turn) return;
  if (wanted.user !== user || next.anew) ranks = null;
  ({ user, then } = wanted);
  stored = history;
  $("user").value = user ?? "";
  $("nobody").hidden = user === null;
  hideWhy();
  showModel(response, model);
  showList(response, ranks, { user, tried: then.length, model, clicked });
  ranks = new Map(response.items.map((one) => [one.item, one.rank]));
  showMemory(response, model, took);
  showTried(then, (place) => trying(() => show({ then: then.toSpliced(place, 1) })));
  showHistory(stored, user);
  $("start").hidden = user !== null || then.length > 0;
  link();
}

// Whose list it is, as requests say it.
function about({ user, then }) {
  const items = then.map((one) => one.item);
  return user === null ? { history: items } : { user, then: items };
}

async function historyOf(name, events) {
  if (name === null || events === 0) return { events: 0, history: [] };
  return ask(`users/${encodeURIComponent(name)}?limit=${EVENTS}`);
}

// An item was clicked or found. A second click of a double one would hit what stands there by then, and so would a key
// that is held.
function clicked(button, item, title) {
  button.addEventListener("click", (event) => event.detail < 2 && trying(() => chosen(item, title, button)));
  button.addEventListener("keydown", (event) => event.repeat && event.key === "Enter" && event.preventDefault());
}

function chosen(item, title, button) {
  return mode === "why" ? explain(item, title, button) : add(item, title);
}

// Show which of the last events speak for an item; or hide it, where it is shown already.
async function explain(item, title, button) {
  if (whyIsOf(button)) return hideWhy();
  const mine = turn;
  const response = await ask("explanations", { ...about({ user, then }), items: [item], last: EXPLAINING });
  if (mine !== turn || mode !== "why") return; // another list is shown by now
  showWhy(response, { item, title, button });
}

async function add(item, title) {
  const recording = mode === "record";
  if (adding) return;
  if (recording && user === null) {
    $("user").focus();
    throw new Problem(0, "Choose the user first whose event this is.");
  }
  adding = true;
  try {
    const fromList = $("list").contains(document.activeElement);
    if (recording) {
      await ask("events", { user, item, id: crypto.randomUUID?.() ?? `page-${Date.now()}-${Math.random()}` });
      await show({});
    } else {
      await show({ then: [...then, { item, title }] });
    }
    const first = $("list").querySelector(".title")?.textContent;
    $("said").textContent = `${recording ? "Recorded" : "Tried out"}: ${title}. First in the list now: ${first ?? "nothing"}.`;
    const focused = $("list").contains(document.activeElement) || document.activeElement === $("search");
    if (!focused) $("list").querySelector("button")?.focus({ preventScroll: fromList });
  } finally {
    adding = false;
  }
}

function setMode() {
  mode = document.querySelector("#mode input:checked").value;
  document.body.classList.toggle("recording", mode === "record");
  $("mode-note").textContent = {
    try: "Nothing is kept.",
    record: "Each click stores an event, for good.",
    why: "Shows which events speak for an item.",
  }[mode];
  $("search-label").textContent = { try: "Try an item", record: "Record an item", why: "Explain an item" }[mode];
  if (mode !== "why") hideWhy();
}

// The address of the page leads back to what is shown.
function link() {
  const parts = new URLSearchParams();
  if (user !== null) parts.set("user", user);
  then.forEach((one) => parts.append("then", one.item));
  if ($("seen").checked !== (model.seen === "allowed")) parts.set("seen", $("seen").checked ? "allowed" : "hidden");
  history.replaceState(null, "", parts.size ? `#${parts}` : location.pathname);
}

async function follow() {
  model ??= await ask("model");
  const hash = location.hash.slice(1);
  let parts = new URLSearchParams(hash);
  if (hash && !hash.includes("=")) parts = new URLSearchParams({ user: decoded(hash) }); // a link of an older version
  $("seen").checked = (parts.get("seen") ?? model.seen) === "allowed";
  const items = await Promise.all(parts.getAll("then").map(known));
  await show({ user: parts.get("user") || null, then: items, anew: true });
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return ""; // it was not this page that made the link
  }
}

async function known(item) {
  const { items } = await ask(`items?search=${encodeURIComponent(item)}&limit=1`);
  return { item, title: items[0]?.item === item ? items[0].title : item };
}

async function suggestUsers(text) {
  const { users } = await ask(`users?prefix=${encodeURIComponent(text)}&limit=20`);
  return users.map((name) => ({ value: name, label: name }));
}

async function suggestItems(text) {
  const { items } = await ask(`items?search=${encodeURIComponent(text)}&limit=20`);
  const names = namesOf(items);
  return items.map((one, place) => ({
    value: one.item,
    label: names[place],
    note: one.events === null ? "" : `${number(one.events)} events`,
  }));
}

async function begin() {
  await follow();
  const users = await suggestUsers("");
  $("some").replaceChildren(
    ...users.map(({ value }) => {
      const button = element("button", "", value);
      button.type = "button";
      button.addEventListener("click", () => trying(() => show({ user: value })));
      const row = element("li");
      row.append(button);
      return row;
    }),
  );
}

const users = combobox($("user"), $("users"), {
  suggest: suggestUsers,
  choose: ({ value }) => trying(() => show({ user: value })),
  fail: (error) => failed(error, begin),
});
combobox($("search"), $("found"), {
  suggest: suggestItems,
  choose: ({ value, label }) => {
    $("search").value = "";
    trying(() => chosen(value, label));
  },
  fail: (error) => failed(error, begin),
});
$("find").addEventListener("submit", (event) => {
  event.preventDefault();
  users.close();
  const typed = $("user").value;
  trying(() => show({ user: typed.trim() || typed || null })); // the keyboards of phones leave a space behind
});
$("nobody").addEventListener("click", () => trying(() => show({ user: null })));
$("restart").addEventListener("click", () => trying(() => show({ then: [] })));
$("why-close").addEventListener("click", () => hideWhy());
$("seen").addEventListener("change", () => trying(() => show({ anew: true })));
$("mode").addEventListener("change", () => {
  setMode();
  if (mode === "record" && then.length) trying(() => show({ then: [] })); // they are no events of the user
});
$("unlock").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", $("key").value);
  $("key").value = "";
  trying(refused ?? begin);
});
addEventListener("hashchange", () => trying(follow));
setMode();
trying(begin);
