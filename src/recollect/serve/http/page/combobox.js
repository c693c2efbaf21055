// A text field with a list of suggestions, for keyboard, pointer and screen reader (the ARIA pattern "combobox").

const WAIT = 120; // milliseconds without typing before suggestions are asked for

// `suggest(text)`: a promise of options {value, label, note}. `choose(option)`: one was chosen. `fail(error)`: suggestions
// cannot be had.
export function combobox(input, list, { suggest, choose, fail }) {
  let options = [];
  let active = -1;
  let turn = 0; // suggestions for older text are not shown
  let timer;

  Object.entries({
    role: "combobox", "aria-autocomplete": "list", "aria-controls": list.id, "aria-expanded": "false",
  }).forEach(([name, value]) => input.setAttribute(name, value));

  function close() {
    clearTimeout(timer);
    turn += 1;
    options = [];
    show();
  }

  function show() {
    active = -1;
    list.replaceChildren(
      ...options.map((option, place) => {
        const row = document.createElement("li");
        row.role = "option";
        row.id = `${list.id}-${place}`;
        row.setAttribute("aria-selected", "false");
        const label = document.createElement("span");
        label.textContent = option.label;
        row.append(label);
        if (option.note) row.append(Object.assign(document.createElement("small"), { textContent: option.note }));
        row.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
        row.addEventListener("click", () => take(option));
        return row;
      }),
    );
    list.hidden = options.length === 0;
    input.setAttribute("aria-expanded", String(!list.hidden));
    input.removeAttribute("aria-activedescendant");
  }

  function move(step) {
    list.children[active]?.setAttribute("aria-selected", "false");
    active = (active + step + options.length + (active < 0 && step < 0 ? 1 : 0)) % options.length;
    const row = list.children[active];
    row.setAttribute("aria-selected", "true");
    row.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", row.id);
  }

  function take(option) {
    close();
    choose(option);
  }

  async function open() {
    const mine = ++turn;
    try {
      const found = await suggest(input.value);
      if (mine !== turn || document.activeElement !== input) return;
      options = found;
      show();
    } catch (error) {
      fail(error);
    }
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(open, WAIT);
  });
  input.addEventListener("click", () => list.hidden && open());
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) open();
      else move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter" && active >= 0) {
      event.preventDefault();
      take(options[active]);
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      close();
    }
  });
  return { close };
}
