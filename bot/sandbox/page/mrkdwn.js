/**
 * Slack's mrkdwn as DOM nodes: https://docs.slack.dev/messaging/formatting-message-text
 *
 * What would ping people in a real workspace is drawn so that nobody can overlook it. Angle
 * brackets are live everywhere, inside code too: unescaped is unescaped.
 */

import { el } from "./dom.js";

/** Where finished nodes stand in for text while the rest is read: a private plane of Unicode. */
const STAND_IN_BASE = 0xf0000;
const STAND_INS = /([\u{F0000}-\u{FFFFD}])/u;

/** With the line breaks around it: a fence has lines, and a margin, of its own. */
const FENCE = /\n?```\n?([\s\S]+?)\n?```\n?/g;
const ANGLES = /<([^<>\n]+)>/g;
const CODE = /`([^`\n]+)`/g;
const BARE_LINK = /https?:\/\/[^\s<>\u{F0000}-\u{FFFFD}]+/gu;
const TRAILING_MARKS = /[.,;:!?)\]'"*_~]+$/;
const EMPHASIS =
  /(?<![\p{L}\p{N}*_~])(?:\*(?<bold>[^\s*](?:[^*\n]*[^\s*])?)\*|_(?<italic>[^\s_](?:[^_\n]*[^\s_])?)_|~(?<strike>[^\s~](?:[^~\n]*[^\s~])?)~)(?![\p{L}\p{N}])/gu;
const QUOTED = /^(?:>|&gt;) ?/;
const BULLET = /^[•◦] +/;

const BROADCASTS = new Set(["channel", "here", "everyone"]);

/**
 * Nodes for a text of several lines, among them block elements.
 *
 * @param {string} text as Slack's API takes it, with &amp; &lt; &gt; for the three characters.
 * @param {{person: function, channel: function, me: string}} names looks ids up.
 */
export function mrkdwn(text, names) {
  const reader = new Reader(names);
  const withTokens = reader.begin(text);
  const withFences = withTokens.replace(FENCE, (_, inside) => {
    const fence = reader.standIn(el("pre", { class: "fence" }, reader.plain(inside)));
    return `\n${fence}\n`;
  });
  return reader.lines(withFences);
}

/** Nodes for one line, such as a label: no block elements. */
export function mrkdwnLine(text, names) {
  const reader = new Reader(names);
  return reader.line(reader.begin(text));
}

/** Nodes for a text object of Block Kit, either kind. */
export function textObject(object, names) {
  if (!object) return [];
  if (object.type === "mrkdwn") return mrkdwn(object.text, names);
  return [el("span", { class: "plain" }, object.text)];
}

/** The same where only a line fits. */
export function textLine(object, names) {
  if (!object) return [];
  if (object.type === "mrkdwn") return mrkdwnLine(object.text, names);
  return [object.text];
}

const unescape = (text) =>
  text.replace(/&(lt|gt|amp);/g, (_, name) => ({ lt: "<", gt: ">", amp: "&" })[name]);

class Reader {
  constructor(names) {
    this.names = names;
    this.finished = [];
  }

  /** The text with everything between angle brackets set aside, and no stand-ins of its own. */
  begin(text) {
    const own = text.replace(/[\u{F0000}-\u{FFFFD}]/gu, "\ufffd");
    return this.setAside(own, ANGLES, (inside) => this.angles(inside));
  }

  /** A character that stands for a finished node until the text around it is drawn. */
  standIn(node) {
    this.finished.push(node);
    return String.fromCodePoint(STAND_IN_BASE + this.finished.length - 1);
  }

  setAside(text, pattern, draw) {
    return text.replace(pattern, (whole, inside) => {
      const node = draw(inside ?? whole);
      return node ? this.standIn(node) : whole;
    });
  }

  /** Text without further marks: stand-ins become their nodes, entities their characters. */
  plain(text) {
    return text.split(STAND_INS).map((piece) => {
      const node = STAND_INS.test(piece) && this.finished[piece.codePointAt(0) - STAND_IN_BASE];
      return node || unescape(piece);
    });
  }

  /** Lines grouped into quotes, bullets, code fences and ordinary text. */
  lines(text) {
    const groups = [];
    for (const line of text.split("\n")) {
      const kind = this.kindOf(line);
      const group = groups.at(-1);
      if (group && group.kind === kind && kind !== "fence") group.lines.push(line);
      else groups.push({ kind, lines: [line] });
    }
    return groups.flatMap((group) => this.group(group));
  }

  kindOf(line) {
    const alone = [...line].length === 1 && STAND_INS.test(line);
    if (alone && this.finished[line.codePointAt(0) - STAND_IN_BASE]?.tagName === "PRE")
      return "fence";
    if (QUOTED.test(line)) return "quote";
    if (BULLET.test(line)) return "bullets";
    return "text";
  }

  group({ kind, lines }) {
    const drawn = (text) => this.line(text);
    if (kind === "fence") return this.plain(lines[0]).filter((node) => node !== "");
    if (kind === "bullets") {
      const items = lines.map((line) => el("li", {}, drawn(line.replace(BULLET, ""))));
      return [el("ul", { class: "bullets" }, items)];
    }
    if (kind === "quote") {
      const text = lines.map((line) => line.replace(QUOTED, "")).join("\n");
      return [el("blockquote", {}, drawn(text))];
    }
    const text = lines.join("\n");
    // An empty line beside a quote, a fence or a list is what their margins show.
    return text.trim() === "" ? [] : [el("div", { class: "lines" }, drawn(text))];
  }

  line(text) {
    const code = (inside) => el("code", {}, this.plain(inside));
    return this.emphasis(this.links(this.setAside(text, CODE, code)));
  }

  links(text) {
    return text.replace(BARE_LINK, (whole) => {
      const trailing = whole.match(TRAILING_MARKS)?.[0] ?? "";
      const address = whole.slice(0, whole.length - trailing.length);
      const node = link(unescape(address), [unescape(address)]);
      return node ? this.standIn(node) + trailing : whole;
    });
  }

  emphasis(text) {
    const nodes = [];
    let read = 0;
    for (const found of text.matchAll(EMPHASIS)) {
      const { bold, italic, strike } = found.groups;
      const tag = bold !== undefined ? "strong" : italic !== undefined ? "em" : "s";
      nodes.push(
        ...this.plain(text.slice(read, found.index)),
        el(tag, {}, this.emphasis(bold ?? italic ?? strike)),
      );
      read = found.index + found[0].length;
    }
    return [...nodes, ...this.plain(text.slice(read))];
  }

  /** What stands between < and >; null when it is nothing Slack knows. */
  angles(inside) {
    const bar = inside.indexOf("|");
    const target = bar < 0 ? inside : inside.slice(0, bar);
    const label = bar < 0 ? "" : unescape(inside.slice(bar + 1));
    const id = target.slice(1);
    if (target.startsWith("@")) return this.person(id, label);
    if (target.startsWith("#"))
      return el("span", { class: "mention" }, hash(this.names.channel(id) || label || id));
    if (target.startsWith("!")) return this.special(id, label);
    return link(unescape(target), [label || unescape(target)]);
  }

  person(id, label) {
    const words = `@${this.names.person(id) || label || id}`;
    return el("span", { class: id === this.names.me ? "mention me" : "mention" }, words);
  }

  special(name, label) {
    if (BROADCASTS.has(name)) return broadcast(`@${name}`);
    if (name.startsWith("subteam^")) return broadcast(label || "@a user group");
    if (name.startsWith("date^")) return date(name, label);
    return el("span", {}, label || `<!${name}>`);
  }
}

const hash = (name) => (/^[#@]/.test(name) ? name : `#${name}`);

const broadcast = (words) => el("mark", { class: "broadcast" }, `${words} — would ping everyone`);

function link(address, children) {
  if (!/^https?:\/\//i.test(address))
    return /^mailto:/i.test(address) ? el("span", {}, children) : null;
  return el("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, children);
}

const day = (options) => (when) => new Intl.DateTimeFormat("en-US", options).format(when);
const LONG = day({ year: "numeric", month: "long", day: "numeric" });
const SHORT = day({ year: "numeric", month: "short", day: "numeric" });
const FULL = day({ weekday: "long", year: "numeric", month: "long", day: "numeric" });

/** Slack's date tokens: https://docs.slack.dev/messaging/formatting-message-text#date-formatting */
const DATE_TOKENS = {
  date: LONG,
  date_num: day({ year: "numeric", month: "2-digit", day: "2-digit" }),
  date_slash: day({ year: "numeric", month: "2-digit", day: "2-digit" }),
  date_short: SHORT,
  date_long: FULL,
  date_pretty: (when) => near(when) ?? LONG(when),
  date_short_pretty: (when) => near(when) ?? SHORT(when),
  date_long_pretty: (when) => near(when) ?? FULL(when),
  time: day({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
  time_secs: day({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }),
};

function near(when) {
  const midnight = (date) =>
    new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
  const days = Math.round((midnight(when) - midnight(new Date())) / 86_400_000);
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[days];
}

/** `date^seconds^format^link`; the fallback when the seconds or a token are not known. */
function date(token, fallback) {
  const [, seconds, format = "", address = ""] = token.split("^");
  const when = new Date(Number(seconds) * 1000);
  if (!/^\d+$/.test(seconds) || Number.isNaN(when.getTime())) return el("span", {}, fallback);
  let known = true;
  const words = unescape(format).replace(/\{(\w+)\}/g, (_, name) => {
    const draw = Object.hasOwn(DATE_TOKENS, name) && DATE_TOKENS[name];
    known &&= Boolean(draw);
    return draw ? draw(when) : "";
  });
  if (!known) return el("span", {}, fallback);
  const time = el("time", { datetime: when.toISOString() }, words);
  return (address && link(unescape(address), [time])) || time;
}
