// What is seen: the list with its probabilities, what it was computed from, and the history.

const $ = (id) => document.getElementById(id);

export const number = (value, digits = 0) =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

// Two digits that count: 12.3 %, 2.09 %, 0.031 %.
const percent = (share) => {
  const value = 100 * share;
  const digits = value >= 10 || value === 0 ? 1 : value >= 0.1 ? 2 : Math.min(20, 1 - Math.floor(Math.log10(value)));
  return `${number(value, digits)} %`;
};

const plural = (count, what) => `${number(count)} ${what}${count === 1 ? "" : "s"}`;

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// What each row of a list is called: its title, with its id behind it where another item of the list has the same title.
export function namesOf(items) {
  const ids = new Map();
  for (const { item, title } of items) ids.set(title, (ids.get(title) ?? new Set()).add(item));
  return items.map(({ item, title }) => (title && ids.get(title).size > 1 ? `${title} (${item})` : title));
}

const named = (items) => namesOf(items).map((title, place) => ({ ...items[place], title }));

export function showModel(response, model) {
  $("model").textContent = `${response.model} · ${plural(model.items, "item")} · ${response.digest}`;
}

// `clicked(button, item, title)` makes a row do something. `ranks`: item -> rank before, null where that means nothing.
export function showList(response, ranks, { user, tried, model, clicked }) {
  $("next-title").textContent = user !== null ? `Next for ${user}` : tried ? `Next after ${plural(tried, "item")}` : "Next for a newcomer";
  $("source").textContent = sourceOf(response, user, tried);
  showShare(response, model);
  const tops = new Map([...$("list").children].map((row) => [row.dataset.item, row.getBoundingClientRect().top]));
  const titles = new Map([...$("list").children].map((row) => [row.dataset.item, row.querySelector(".title").textContent]));
  const rows = named(response.items).map((one) => rowOf(one, ranks, clicked));
  const here = new Set(response.items.map((one) => one.item));
  const gone = ranks ? [...ranks.keys()].filter((item) => !here.has(item)) : [];
  $("gone").hidden = gone.length === 0;
  $("gone").textContent = `Left the list: ${gone.map((item) => titles.get(item) ?? item).join(", ")}`;
  $("list").replaceChildren(...rows);
  slide(rows, tops);
}

function sourceOf(response, user, tried) {
  const left = response.items.length ? "" : " No item is left to list.";
  if (response.source === "newcomer") return `${response.events ? "The model knows none of these events" : `Nothing is known ${user === null ? "yet" : "of this user"}`}: this is the list for newcomers.${left}`;
  if (user === null) return `As if somebody had these items, and no others.${left}`;
  const imagined = tried ? `, and as if ${tried === 1 ? "one more item" : `${tried} more items`} had followed` : "";
  return `From ${response.source === "memory" ? "the user's whole history" : "no stored event"}${imagined}.${left}`;
}

// All of the probability as one bar: what the list holds of it, item by item, and the rest.
function showShare(response, model) {
  const shares = response.items.map((one) => one.probability);
  $("share").hidden = shares.length === 0 || shares.includes(null);
  if ($("share").hidden) return;
  $("share-bar").replaceChildren(
    ...shares.map((share) => {
      const part = element("span");
      part.style.width = `${100 * share}%`;
      return part;
    }),
  );
  const sum = shares.reduce((one, other) => one + other, 0);
  $("share-note").textContent =
    `Together ${percent(sum)}; a full bar is 100 %. By chance an item has ${percent(1 / model.items)}.`;
}

function rowOf(one, ranks, clicked) {
  const button = element("button");
  button.type = "button";
  const name = element("span");
  name.append(element("span", "title", one.title), moveOf(one, ranks));
  button.append(element("span", "rank", one.rank), name);
  button.append(element("span", "probability", one.probability === null ? number(one.logit, 2) : percent(one.probability)));
  if (one.probability !== null) {
    const bar = element("span", "bar");
    const filled = element("span");
    filled.style.width = `${100 * one.probability}%`;
    bar.append(filled);
    button.append(bar, element("span", "logit", `logit ${number(one.logit, 2)}`));
  }
  clicked(button, one.item, one.title);
  const row = element("li");
  row.dataset.item = one.item;
  row.append(button);
  return row;
}

function moveOf(one, ranks) {
  if (!ranks) return element("span", "move");
  const before = ranks.get(one.item);
  if (before === undefined) return element("span", "move rose", "new");
  if (before === one.rank) return element("span", "move");
  const up = before > one.rank;
  const mark = element("span", `move ${up ? "rose" : "fell"}`, `${up ? "▲" : "▼"} ${Math.abs(before - one.rank)}`);
  mark.setAttribute("aria-label", `${up ? "up" : "down"} ${Math.abs(before - one.rank)}`);
  return mark;
}

function slide(rows, tops) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  for (const row of rows) {
    const from = tops.get(row.dataset.item);
    if (from === undefined) continue;
    const way = from - row.getBoundingClientRect().top;
    if (way) row.animate([{ transform: `translateY(${way}px)` }, { transform: "none" }], { duration: 400, easing: "ease-out" });
  }
}

export function showMemory(response, model, took) {
  $("events").textContent = number(response.events);
  $("bytes").textContent = model.memory_bytes < 1e6 ? `${number(model.memory_bytes / 1e3, 1)} kB` : `${number(model.memory_bytes / 1e6, 1)} MB`;
  $("bytes").title = `${number(model.memory_bytes)} bytes for each user, whatever the number of events`;
  $("took").textContent = `${number(took)} ms`;
  const weight = response.long_term_weight;
  $("alpha").hidden = weight === null;
  if (weight === null) return;
  $("gauge").firstElementChild.style.left = `${100 * weight}%`;
  $("gauge").setAttribute("aria-valuenow", weight.toFixed(2));
  $("weight").textContent = `${number(100 * weight)} % of the list comes from long-term memory`;
}

export function showTried(then, remove) {
  $("tried").hidden = then.length === 0;
  const rows = named(then).map((one, place) => {
    const button = element("button", "", "×");
    button.type = "button";
    button.setAttribute("aria-label", `Remove ${one.title}`);
    button.addEventListener("click", () => remove(place));
    const row = element("li");
    row.append(element("span", "title", one.title), button);
    return row;
  });
  $("then").replaceChildren(...rows.toReversed());
}

export function showHistory(stored, user) {
  const shown = stored.history.length;
  const part = shown < stored.events ? `the last ${number(shown)} of ${plural(stored.events, "event")}` : plural(shown, "event");
  $("of").textContent = user === null ? "" : shown ? part : "none stored";
  $("history-title").hidden = user === null;
  const rows = named(stored.history).toReversed().map((one) => {
    const moment = new Date(1000 * one.time);
    const time = element("time", "", moment.toLocaleDateString("en-GB", { dateStyle: "medium" }));
    time.title = moment.toLocaleString("en-GB");
    time.dateTime = moment.toISOString();
    const row = element("li");
    row.append(element("span", "title", one.title ?? `${one.item} (not known to the model)`), time);
    return row;
  });
  $("history").replaceChildren(...rows);
}
