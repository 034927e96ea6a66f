/* Elements made of text alone: nothing here ever parses markup. */

const MARKS = { good: "✓", warn: "!", bad: "✕", soft: "·" };

/** An element. ``attributes`` that are null are left out, ``on`` holds listeners; children may be nested lists, and null is nothing. */
function h(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === "on") for (const [event, call] of Object.entries(value)) made.addEventListener(event, call);
    else if (value !== null && value !== undefined) made.setAttribute(key, plain(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined) continue;
    made.append(child instanceof Node ? child : document.createTextNode(plain(child)));
  }
  return made;
}

/** A link. Its address is made of what the page's writer gave and of encoded parts, and stays as it is. */
function link(href, ...children) {
  const made = h("a", {}, ...children);
  made.setAttribute("href", href);
  return made;
}

const part = encodeURIComponent;
const modelPage = (name) => `#/model/${part(name)}`;
const entryPage = (sha) => `#/entry/${part(sha)}`;
const modelLink = (name) => link(modelPage(name), h("bdi", {}, name));

const moment = (text) => h("time", { datetime: text }, minute(text), " UTC");
const short = (text) => h("code", { title: text }, text.slice(0, 12));
const soft = (...children) => h("small", { class: "soft" }, ...children);

/** A word with a mark, so that colour is never all that tells. */
const tag = (kind, text) => h("span", { class: `tag ${kind}` }, h("span", { "aria-hidden": "true" }, MARKS[kind]), text);
const stateTag = (state) => tag({ "in sync": "good", pending: "warn" }[state] || "bad", state);
const statusTag = (status) => tag({ PASSED: "good", WARNED: "warn" }[status] || "bad", status);

/** What scrolls sideways by itself, with a keyboard too. */
const frame = (label, content) => h("div", { class: "frame", tabindex: "0", role: "region", "aria-label": label }, content);

/** Names and values; a pair that is null is left out. */
const pairs = (...rows) => h("dl", { class: "pairs" }, rows.filter(Boolean).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));

/** A table whose first cell in each row is its head. ``style``: numbers, matrix (numbers too), or stack (a phone shows a row as lines). */
function grid(label, heads, rows, style = "numbers") {
  const numbers = style !== "stack";
  const head = (text, index) => h("th", { scope: "col", class: numbers && index ? "num" : null }, text);
  const cell = (value, index) => index
    ? h("td", { class: numbers ? "num" : null, "data-of": numbers ? null : heads[index] }, value)
    : h("th", { scope: "row" }, value);
  return frame(label, h("table", { class: style },
    h("thead", {}, h("tr", {}, heads.map(head))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map(cell))))));
}

/** A figure with its interval below. */
function measure(evidence, name) {
  const ends = interval(evidence, name);
  return [figure(evidence?.figures[name]), ends ? h("div", {}, soft(between(ends))) : null];
}
