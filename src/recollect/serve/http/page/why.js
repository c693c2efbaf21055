// Why an item has its place: a bar for each of the last events, to the right where the event speaks for the item, to the
// left where it speaks against it.

import { element, namesOf, number } from "./view.js";

const $ = (id) => document.getElementById(id);

const signed = (value, digits) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${number(Math.abs(value), digits)}`;

let opener = null; // the button of the list whose item is explained; undefined for an item that was searched for

export function whyIsOf(button) {
  return button !== undefined && button === opener && !$("why").hidden;
}

export function hideWhy() {
  const inside = $("why").contains(document.activeElement);
  opener?.removeAttribute("aria-expanded");
  $("why").hidden = true;
  $("list").before($("why")); // out of a row, which may be replaced
  if (inside) (opener?.isConnected ? opener : $("search")).focus({ preventScroll: true });
  opener = null;
}

// `button`: under whose row it is shown; above the list without one.
export function showWhy(response, { item, title, button }) {
  hideWhy();
  opener = button;
  const [found] = response.items;
  const effects = found?.effects ?? [];
  const most = Math.max(...effects.map((one) => Math.abs(one.logit)), 0);
  const names = namesOf(effects);
  $("why-title").textContent = `Why ${title}?`;
  $("why-note").textContent = noteOf(response, found, most);
  $("why-ends").hidden = most === 0;
  $("effects").replaceChildren(...(most ? effects.map((one, place) => rowOf(one, names[place], most)).toReversed() : []));
  $("why").hidden = false;
  if (button) {
    button.setAttribute("aria-expanded", "true");
    button.after($("why"));
  }
  $("why").scrollIntoView({ block: "nearest" });
  $("said").textContent = `${$("why-title").textContent} ${$("why-note").textContent}`;
}

function noteOf(response, found, most) {
  if (!found) return "The model does not know this item.";
  const logit = `Its logit is ${number(found.logit, 2)}.`;
  if (response.events === 0) return `${logit} There are no events that could speak for it: it stands where newcomers have it.`;
  if (found.effects.length === 0) return `${logit} The model knows none of the events.`;
  const count = found.effects.length;
  const which = count === 1 ? "the last event" : `the last ${number(count)} events`;
  if (most === 0) return `${logit} ${count === 1 ? "T" : "None of t"}${which.slice(1)} ${count === 1 ? "does not move" : "moves"} it.`;
  return `${logit} By how much ${which}, newest first, ${count === 1 ? "raises or lowers" : "each raise or lower"} it:`;
}

function rowOf(one, name, most) {
  const row = element("li");
  const way = one.logit > 0 ? "for" : one.logit < 0 ? "against" : "";
  const bar = element("span", "effect");
  bar.setAttribute("aria-hidden", "true");
  const filled = element("span", way);
  filled.style.width = `${(50 * Math.abs(one.logit)) / most}%`;
  bar.append(filled);
  const figure = element("span", `figure ${way}`, signed(one.logit, most < 0.1 ? 4 : 2));
  figure.append(element("span", "unseen", way ? `, speaks ${way}` : ", no effect"));
  row.append(element("span", "title", name), bar, figure);
  return row;
}
