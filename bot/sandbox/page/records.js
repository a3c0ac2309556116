/**
 * What is kept: the bot's history of changes and denials, and the log of what crossed the wire.
 */

import { at, el, keep, say } from "./dom.js";

/**
 * Draws both from a state.
 *
 * @param {{names: object}} with_ looks ids up.
 * @returns {function(object)}
 */
export function records({ names }) {
  let history = null;
  return (state) => {
    drawWire(state.wire);
    const signature = JSON.stringify([state.history, state.kayran.labels]);
    if (signature === history) return;
    history = signature;
    drawHistory(state.history, state.kayran.labels, names);
  };
}

function drawWire(entries) {
  const times = new Map(); // the same request may cross the wire more than once
  const lines = entries.map((entry) => {
    const request = JSON.stringify([entry.time, entry.from, entry.to, entry.what, entry.body]);
    times.set(request, (times.get(request) ?? 0) + 1);
    return { ...entry, key: `${request} ${times.get(request)}` };
  });
  lines.reverse();
  keep(at("wire"), lines, { key: ({ key }) => key, sign: ({ key }) => key, draw: wireLine });
  // An answer comes later than its request: it is filled in, so that an open line stays open.
  lines.forEach(({ answer }, place) =>
    drawAnswer(at("wire").children[place].querySelector(".answer"), answer),
  );
  at("no-wire").hidden = lines.length > 0;
  at("wire").hidden = lines.length === 0;
}

function drawAnswer(node, answer) {
  say(node, answer || "on its way");
  node.classList.toggle("trouble", isTrouble(answer));
}

function wireLine({ time, from, to, what, body }) {
  return el(
    "li",
    {},
    el(
      "details",
      {},
      el(
        "summary",
        {},
        el("span", { class: "time" }, time),
        el("span", { class: "route" }, `${from} → ${to}`),
        el("span", { class: "what" }, what),
        el("span", { class: "answer" }),
      ),
      el("pre", { tabindex: "0", "aria-label": "Body" }, legible(body)),
    ),
  );
}

/** Anything but a status below 400, or Kayran's having told or applied what it was asked to. */
const isTrouble = (answer) =>
  Boolean(answer) && !/^(?:[123]\d\d|told|applied)(?: in \d+ ms)?$/.test(answer);

/** JSON indented; a form's fields one to a line; anything else as it is. */
function legible(body) {
  if (!body) return "Without a body.";
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    const isForm = /^[\w.-]+=[^\s]*$/.test(body);
    return isForm
      ? [...new URLSearchParams(body)].map(([name, value]) => `${name}: ${value}`).join("\n")
      : body;
  }
}

/**
 * The columns of the history, each with the keys it speaks for. Keys nobody speaks for are under
 * "More", so that a row never hides what it holds.
 */
const COLUMNS = [
  { title: "No.", keys: ["number"], draw: (row) => row.number },
  { title: "When", keys: ["asked_at"], draw: (row) => moment(row.asked_at) },
  {
    title: "Who",
    keys: ["user_name", "user_id"],
    draw: (row, { names }) => row.user_name ?? names.person(row.user_id) ?? row.user_id,
  },
  { title: "What", keys: ["kind"], draw: (row) => capital(row.kind) },
  { title: "Changed", keys: ["before", "after", "wanted"], draw: changed },
  { title: "Outcome", keys: ["outcome"], draw: outcome },
  { title: "Reason", keys: ["reason"], draw: (row) => row.reason },
];

function drawHistory(rows, labels, names) {
  const words = { labels, names };
  const columns = COLUMNS.filter(({ draw }) => rows.some((row) => !isNothing(draw(row, words))));
  const titles = [...columns.map(({ title }) => title), "More"];
  at("no-history").hidden = rows.length > 0;
  at("history").hidden = rows.length === 0;
  keep(at("history-head"), titles, {
    key: (title) => title,
    draw: (title) => el("th", { role: "columnheader", scope: "col" }, title),
  });
  keep(at("history-rows"), [...rows].sort(newestFirst), {
    key: identity,
    sign: (row) => JSON.stringify([row, titles]),
    draw: (row) => historyRow(row, columns, words),
  });
}

const identity = (row) => JSON.stringify([row.kind, row.id ?? row.number, row.asked_at]);

function historyRow(row, columns, words) {
  const cells = columns.map(({ title, draw }) => [title, draw(row, words)]);
  cells.push(["More", rest(row, words)]);
  return el(
    "tr",
    { role: "row" },
    cells.map(([title, content]) =>
      el(
        "td",
        { role: "cell", class: isNothing(content) ? "without" : null, data: { title } },
        isNothing(content) ? "–" : content,
      ),
    ),
  );
}

const isNothing = (value) => value === null || value === undefined || value === "";

/** Seconds since the epoch or an ISO date: whichever a row has, as milliseconds; 0 for neither. */
const instant = (value) => (typeof value === "number" ? value * 1000 : Date.parse(value) || 0);

const newestFirst = (one, other) => instant(other.asked_at) - instant(one.asked_at);

/** The rows whose "More" is open, so that it stays open when the row changes. */
const opened = new Set();

function rest(row, { labels }) {
  const spoken = new Set(COLUMNS.flatMap(({ keys }) => keys));
  const facts = Object.entries(row).filter(
    ([name, value]) => !spoken.has(name) && !isNothing(value),
  );
  if (facts.length === 0) return null;
  const id = identity(row);
  const details = el(
    "details",
    { open: opened.has(id), ontoggle: () => opened[details.open ? "add" : "delete"](id) },
    el("summary", { data: { control: "more" } }, `${facts.length} more`),
    el(
      "dl",
      {},
      facts.flatMap(([name, value]) => [
        el("dt", {}, name.replaceAll("_", " ")),
        el("dd", {}, legibleFact(value, labels)),
      ]),
    ),
  );
  return details;
}

function legibleFact(value, labels) {
  const known = Object.entries((typeof value === "object" && flags(value, labels)) || {});
  if (known.length === 0) return raw(value);
  return known.map(([name, flag]) => `${labels[name]} ${onOff(flag)}`).join(", ");
}

const onOff = (flag) => (flag === null ? "not known" : flag ? "on" : "off");

/** Flag by flag what differs between before and after, as far as both can be read. */
function changed(row, { labels }) {
  const value = row.after ?? row.wanted;
  const before = flags(row.before, labels);
  const after = flags(value, labels);
  if (!after) return isNothing(value) ? null : raw(value);
  const lines = Object.entries(after)
    .filter(([name, flag]) => !before || before[name] !== flag)
    .map(([name, flag]) => {
      const from = before ? `${onOff(before[name] ?? null)} → ` : "";
      return el("li", {}, `${labels[name]}: ${from}${onOff(flag)}`);
    });
  return lines.length ? el("ul", { class: "changed" }, lines) : "Nothing";
}

const raw = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));

/** Parameter -> on, off or not known (null), from the ways nine flags are written; else null. */
function flags(value, labels) {
  const names = Object.keys(labels);
  if (typeof value === "string" && value.length === names.length && /^[01?]+$/.test(value)) {
    return Object.fromEntries(
      names.map((name, place) => [name, { 1: true, 0: false }[value[place]] ?? null]),
    );
  }
  if (value === null || typeof value !== "object") return null;
  const read = (flag) =>
    ({ true: true, on: true, 1: true, false: false, off: false, 0: false })[String(flag)] ?? null;
  return Object.fromEntries(
    names.filter((name) => name in value).map((name) => [name, read(value[name])]),
  );
}

function outcome({ outcome: name, kind }) {
  if (isNothing(name)) return kind === "change" ? "Not closed yet" : null;
  return el("span", { class: "outcome", data: { outcome: name } }, capital(name));
}

const CLOCK = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

function moment(value) {
  if (isNothing(value)) return null;
  const when = instant(value);
  return when
    ? el("time", { datetime: new Date(when).toISOString() }, CLOCK.format(when))
    : String(value);
}

const capital = (words) =>
  isNothing(words) ? null : String(words).charAt(0).toUpperCase() + String(words).slice(1);
