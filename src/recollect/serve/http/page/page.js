// The page of the service: a user, what they had, what comes next, and how that moves when something is added.
// It asks the same interface as everybody, and nothing from elsewhere.

const SHOWN = 10; // items of the list
const PAST = 50; // events of the history

const $ = (id) => document.getElementById(id);
const number = (value, digits = 0) =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

let user = null; // whose list is shown
let before = null; // item -> rank in that list
let turn = 0; // an answer to an older question is not shown
let adding = false; // one event at a time
let refused = null; // what is done again when there is a key

class Problem extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function ask(path, body) {
  const headers = {};
  const key = sessionStorage.getItem("key");
  if (key) headers.Authorization = `Bearer ${key}`;
  const options = { headers };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    Object.assign(options, { method: "POST", body: JSON.stringify(body) });
  }
  let request, response;
  try {
    request = new Request(path, options);
  } catch {
    sessionStorage.removeItem("key");
    throw new Problem(401, "This key has signs that no key has.");
  }
  try {
    response = await fetch(request);
  } catch {
    throw new Problem(0, "The server does not answer.");
  }
  const answer = await response.json().catch(() => ({ error: `The server answered ${response.status}.` }));
  if (!response.ok) throw new Problem(response.status, answer.error ?? "The event is in conflict with another.");
  return answer;
}

function made(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

async function trying(work) {
  $("problem").hidden = true;
  try {
    await work();
    if ($("unlock").contains(document.activeElement)) $("user").focus();
    $("unlock").hidden = true;
  } catch (error) {
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
}

async function show(name) {
  if (name === "." || name === "..") throw new Problem(0, "The page cannot show a user of this name: browsers fold it away.");
  const mine = ++turn;
  const begun = performance.now();
  const seen = $("seen").checked ? "allowed" : "hidden";
  const answer = await ask("recommendations", { user: name, k: SHOWN, seen });
  const took = performance.now() - begun;
  const about = answer.events
    ? await ask(`users/${encodeURIComponent(name)}?limit=${PAST}`)
    : { events: 0, memory_bytes: 0, history: [] };
  if (mine !== turn) return;
  if (name !== user) before = null;
  user = name;
  $("start").hidden = true;
  $("shown").hidden = false;
  $("user").value = user;
  $("who").textContent = user;
  $("model").textContent = `${answer.model} [${answer.digest}]`;
  history.replaceState(null, "", `#${encodeURIComponent(user)}`);
  list(answer);
  memory(answer, about, took);
  past(about);
}

function list(answer) {
  $("source").textContent =
    answer.source === "memory"
      ? "From the memory of this user. Click an item to add it to the history."
      : "No events yet: these are the most popular items. Click one to begin.";
  const most = Math.max(...answer.items.map((one) => one.probability ?? 0));
  const places = new Map([...$("list").children].map((row) => [row.dataset.item, row.getBoundingClientRect().top]));
  const rows = answer.items.map((one) => {
    const button = made("button");
    button.type = "button";
    button.append(made("span", "rank", one.rank), made("span", "title", one.title));
    button.append(made("span", "share", one.probability === null ? "" : `${number(100 * one.probability, 2)} %`));
    button.append(moved(one));
    if (one.probability !== null) {
      const bar = made("span", "bar");
      const filled = made("span");
      filled.style.width = `${most ? (100 * one.probability) / most : 0}%`;
      bar.append(filled);
      button.append(bar);
    }
    button.append(made("span", "logit", `logit ${number(one.logit, 2)}`));
    addsOnClick(button, one.item, one.title);
    const row = made("li");
    row.dataset.item = one.item;
    row.append(button);
    return row;
  });
  const titles = new Map([...$("list").children].map((row) => [row.dataset.item, row.querySelector(".title").textContent]));
  const here = new Set(answer.items.map((one) => one.item));
  const gone = before ? [...before.keys()].filter((item) => !here.has(item)) : [];
  $("gone").hidden = gone.length === 0;
  $("gone").textContent = `Left the list: ${gone.map((item) => titles.get(item) ?? item).join(", ")}`;
  $("list").replaceChildren(...rows);
  slide(rows, places);
  before = new Map(answer.items.map((one) => [one.item, one.rank]));
}

function moved(one) {
  if (!before) return made("span", "move");
  const was = before.get(one.item);
  if (was === undefined) return made("span", "move rose", "new");
  if (was === one.rank) return made("span", "move");
  const up = was > one.rank;
  const mark = made("span", `move ${up ? "rose" : "fell"}`, `${up ? "▲" : "▼"} ${Math.abs(was - one.rank)}`);
  mark.setAttribute("aria-label", `${up ? "up" : "down"} ${Math.abs(was - one.rank)}`);
  return mark;
}

function slide(rows, places) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  for (const row of rows) {
    const from = places.get(row.dataset.item);
    if (from === undefined) continue;
    const way = from - row.getBoundingClientRect().top;
    if (way) row.animate([{ transform: `translateY(${way}px)` }, { transform: "none" }], { duration: 400, easing: "ease-out" });
  }
}

function memory(answer, about, took) {
  $("events").textContent = number(answer.events);
  $("bytes").textContent = answer.events ? `${number(about.memory_bytes)} bytes, whatever their number` : "none yet";
  $("took").textContent = `${number(took, 1)} ms`;
  const weight = answer.long_weight;
  $("alpha").hidden = weight === null;
  if (weight === null) return;
  $("gauge").firstElementChild.style.left = `${100 * weight}%`;
  $("gauge").setAttribute("aria-valuenow", weight.toFixed(2));
  $("weight").textContent = `${number(100 * weight)} % from long-term memory`;
}

function past(about) {
  const shown = about.history.length;
  $("of").textContent = shown < about.events ? `the last ${number(shown)} of ${number(about.events)}` : number(shown);
  const rows = about.history.toReversed().map((one) => {
    const title = one.title ?? `${one.item} (not known to the model)`;
    const button = made("button");
    button.type = "button";
    const when = made("time", "", new Date(1000 * one.time).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" }));
    when.dateTime = new Date(1000 * one.time).toISOString();
    button.append(made("span", "title", title), when);
    addsOnClick(button, one.item, title);
    const row = made("li");
    row.append(button);
    return row;
  });
  $("past").replaceChildren(...rows);
}

// To the history of whose list is shown now, whoever is asked for next. A second click of a double one would hit what
// stands there by then, and so would a key that is held.
function addsOnClick(button, item, title) {
  const name = user;
  button.addEventListener("click", (event) => event.detail < 2 && trying(() => add(name, item, title)));
  button.addEventListener("keydown", (event) => event.repeat && event.key === "Enter" && event.preventDefault());
}

async function add(name, item, title) {
  if (adding) return;
  adding = true;
  try {
    const fromList = $("list").contains(document.activeElement);
    const event = { user: name, item, id: crypto.randomUUID?.() ?? `page-${Date.now()}-${Math.random()}` };
    await ask("events", event);
    await show(name);
    const first = $("list").querySelector(".title")?.textContent;
    $("said").textContent = `Added ${title}. First in the list now: ${first ?? "nothing"}.`;
    if (!$("list").contains(document.activeElement)) $("list").querySelector("button")?.focus({ preventScroll: fromList });
  } finally {
    adding = false;
  }
}

async function suggest() {
  const { users } = await ask(`users?prefix=${encodeURIComponent($("user").value)}&limit=20`);
  $("users").replaceChildren(...users.map((name) => Object.assign(made("option"), { value: name })));
  return users;
}

function linked() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return null; // it was not this page that made the link
  }
}

async function begin() {
  const users = await suggest();
  $("some").replaceChildren(
    ...users.map((name) => {
      const button = made("button", "", name);
      button.type = "button";
      button.addEventListener("click", () => trying(() => show(name)));
      const row = made("li");
      row.append(button);
      return row;
    }),
  );
  const chosen = linked();
  if (chosen) await show(chosen);
}

$("find").addEventListener("submit", (event) => {
  event.preventDefault();
  const typed = $("user").value;
  trying(() => show(typed.trim() || typed)); // the keyboards of phones leave a space behind
});
$("user").addEventListener("input", () => trying(suggest));
$("seen").addEventListener("change", () => user !== null && trying(() => ((before = null), show(user))));
$("unlock").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", $("key").value);
  $("key").value = "";
  trying(refused ?? begin);
});
trying(begin);
