/**
 * Channels, messages, the thread pane and the composer: what a person sees of Slack.
 */

import { drawBlocks } from "./blocks.js";
import { confirmed } from "./confirm.js";
import { at, el, keep, options, say } from "./dom.js";
import { mrkdwn } from "./mrkdwn.js";

const COMMAND = "/kayran-notify";

/** Pixels from the end of a list within which it follows new messages. */
const AT_THE_END = 60;

/** Milliseconds a pressed button stays busy when no newer state says otherwise. */
const PRESS_ON_ITS_WAY = 3000;

/** Colours an avatar can have; which one follows from the name. */
const AVATARS = 6;

/**
 * The conversation, wired up.
 *
 * @param {{tell: function, names: object, go: function}} with_ `tell(action)` tells the sandbox,
 *   `go(channel)` moves to a channel.
 * @returns {function(object, {as: string, channel: string})} draws a state, seen from there.
 */
export function conversation({ tell, names, go }) {
  const messages = at("messages");
  const replies = at("replies");
  const seen = new Map(); // "person/channel" -> ts of the newest thing seen there
  let drawn = {}; // {as, channel}: what the message list shows
  let threadTs = null;
  let redraw = () => {};
  const ends = followEnds([messages, replies]);

  function draw(state, where) {
    redraw = () => draw(state, where);
    const moved = drawn.as !== where.as || drawn.channel !== where.channel;
    drawn = where;
    if (moved) threadTs = null;
    const channel = state.channels.find(({ id }) => id === where.channel);
    const items = timeline(state, where.channel);
    note(state, where);
    drawChannels(state, where);
    drawHead(channel);
    const top = items.filter((item) => !item.parentTs);
    fill(
      messages,
      top.map((item) => withReplies(item, items)),
      { moved },
    );
    at("no-messages").hidden = top.length > 0;
    drawThread(items, channel);
    for (const button of messages.querySelectorAll(".replies")) {
      button.setAttribute(
        "aria-expanded",
        String(button.closest("article").dataset.ts === threadTs),
      );
    }
    drawBotAway(state.bot);
  }

  /** Messages and what only this person sees, oldest first. */
  function timeline(state, channelId) {
    const people = new Set(state.people.map((person) => person.name));
    const posted = (state.messages[channelId] || []).map((message) => ({
      ...message,
      key: message.ts,
      ephemeralId: null,
    }));
    const whispered = (state.ephemerals[channelId] || []).map((message) => ({
      ...message,
      key: message.id,
      ephemeralId: message.id,
      is_bot: !people.has(message.author),
      edited: false,
    }));
    return [...posted, ...whispered]
      .map((item) => ({
        ...item,
        parentTs: item.thread_ts && item.thread_ts !== item.ts ? item.thread_ts : null,
      }))
      .sort((one, other) => Number(one.ts) - Number(other.ts));
  }

  function withReplies(item, items) {
    const answers = item.ephemeralId ? [] : items.filter(({ parentTs }) => parentTs === item.ts);
    return { ...item, replyCount: answers.length, lastReply: answers.at(-1)?.time };
  }

  /** Remember what has been seen: everything at first, later what stands in the open channel. */
  function note(state, { as, channel }) {
    for (const { id } of state.channels) {
      const place = `${as}/${id}`;
      if (id === channel || !seen.has(place)) seen.set(place, newest(state, id));
    }
  }

  const newest = (state, id) => Number(timeline(state, id).at(-1)?.ts ?? 0);

  function drawChannels(state, { as, channel: here }) {
    const rows = state.channels.map((channel) => ({
      ...channel,
      here: channel.id === here,
      unread: newest(state, channel.id) > seen.get(`${as}/${channel.id}`),
      address: `?${new URLSearchParams({ as, in: channel.id })}`,
    }));
    keep(at("channel-list"), rows, { key: ({ id }) => id, draw: channelLink });
    const words = ({ name, note: about, unread }) =>
      [name, about && ` · ${about}`, unread && " · new"].filter(Boolean).join("");
    options(
      at("channel-select"),
      rows.map((row) => [row.id, words(row)]),
      here,
    );
  }

  function channelLink(row) {
    const follow = (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      go(row.id);
    };
    return el(
      "li",
      {},
      el(
        "a",
        {
          href: row.address,
          class: row.unread ? "channel unread" : "channel",
          "aria-current": row.here ? "page" : null,
          data: { channel: row.id, control: row.id },
          onclick: follow,
        },
        el("span", { class: "channel-name" }, row.name),
        row.unread ? el("span", { class: "new" }, "new") : null,
        row.note ? el("span", { class: "channel-note" }, row.note) : null,
      ),
    );
  }

  function drawHead(channel) {
    const name = channel?.name ?? "No channel";
    say(at("channel-name"), name);
    say(at("channel-note"), channel?.note ?? "");
    say(at("thread-channel"), name);
    at("composer").placeholder = `Message ${name} or ${COMMAND}`;
  }

  function drawThread(items, channel) {
    const parent = threadTs && items.find((item) => item.ts === threadTs && !item.ephemeralId);
    if (!parent || !channel) {
      at("thread").hidden = true;
      at("slack").classList.remove("with-thread");
      replies.replaceChildren();
      threadTs = null;
      return;
    }
    const wasHidden = at("thread").hidden;
    at("thread").hidden = false;
    at("slack").classList.add("with-thread");
    const answers = items.filter((item) => item.parentTs === threadTs);
    const divider = {
      key: "count",
      words: count(answers.filter((item) => !item.ephemeralId).length),
    };
    fill(replies, [parent, divider, ...answers], { moved: wasHidden });
  }

  /** Fill a list of messages; a fresh one is not read out, and starts at its end. */
  function fill(list, items, { moved }) {
    if (moved) {
      ends.add(list);
      list.setAttribute("aria-live", "off");
      list.replaceChildren();
    }
    keep(list, items, {
      key: ({ key }) => key,
      draw: (item) => (item.words ? dividerOf(item) : article(item, list)),
    });
    if (ends.has(list)) list.scrollTop = list.scrollHeight;
    if (moved) {
      for (const node of list.children) node.classList.add("settled");
      requestAnimationFrame(() => list.setAttribute("aria-live", "polite"));
    }
  }

  const dividerOf = ({ words }) => el("p", { class: "reply-count" }, words);

  function article(item, list) {
    const isOnlyYours = item.ephemeralId !== null;
    return el(
      "article",
      {
        class: isOnlyYours ? "message only-you" : "message",
        tabindex: "-1",
        "aria-label": `${item.author}, ${item.time}`,
        data: isOnlyYours ? { ts: item.ts, ephemeral: item.ephemeralId } : { ts: item.ts },
      },
      el(
        "div",
        {
          class: `avatar avatar-${item.is_bot ? "bot" : shade(item.author)}`,
          "aria-hidden": "true",
        },
        initials(item.author),
      ),
      el(
        "div",
        { class: "message-body" },
        isOnlyYours ? el("p", { class: "only-you-note" }, "Only visible to you") : null,
        el(
          "p",
          { class: "byline" },
          el("span", { class: "author" }, item.author),
          item.is_bot ? el("span", { class: "badge" }, "APP") : null,
          el("span", { class: "time" }, item.time),
          item.edited ? el("span", { class: "time" }, "(edited)") : null,
        ),
        el("div", { class: "blocks" }, content(item)),
        item.trouble
          ? el("p", { class: "trouble" }, "The app did not answer the button in time.")
          : null,
        list === messages && item.replyCount ? repliesButton(item) : null,
      ),
    );
  }

  function content(item) {
    if (!item.blocks?.length) return mrkdwn(item.text ?? "", names);
    return drawBlocks(item.blocks, {
      names,
      valuesOf: () => [],
      change: () => {},
      press: (element, button) => void press(item, element, button),
    });
  }

  async function press(item, element, button) {
    if (!(await confirmed(element.confirm, names))) return;
    if (/^https?:\/\//i.test(element.url ?? "")) window.open(element.url, "_blank", "noopener");
    button.setAttribute("aria-disabled", "true");
    button.classList.add("busy");
    setTimeout(() => {
      button.removeAttribute("aria-disabled");
      button.classList.remove("busy");
    }, PRESS_ON_ITS_WAY);
    void tell(
      item.ephemeralId
        ? { do: "press-ephemeral", id: item.ephemeralId, action_id: element.action_id }
        : { do: "press", channel: drawn.channel, ts: item.ts, action_id: element.action_id },
    );
  }

  function repliesButton(item) {
    return el(
      "button",
      {
        type: "button",
        class: "replies",
        "aria-controls": "thread",
        data: { control: "replies" },
        onclick: () => openThread(item.ts),
      },
      el("strong", {}, count(item.replyCount)),
      el("span", {}, ` last at ${item.lastReply}`),
    );
  }

  function openThread(ts) {
    threadTs = ts;
    redraw();
    messages.querySelector(`[data-ts="${CSS.escape(ts)}"]`)?.scrollIntoView({ block: "nearest" });
    at("thread-title").focus({ preventScroll: true });
  }

  function closeThread() {
    const opener = messages.querySelector(`[data-ts="${CSS.escape(threadTs ?? "")}"]`);
    threadTs = null;
    redraw();
    const button = opener?.isConnected && opener.querySelector(".replies");
    (button || messages.querySelector(".replies") || at("composer")).focus();
  }

  at("thread-close").addEventListener("click", closeThread);
  at("thread").addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    closeThread();
  });
  at("channel-select").addEventListener("change", (event) => go(event.target.value));
  composer((text) => tell({ do: "say", channel: drawn.channel, text }));
  return draw;
}

/**
 * Keep lists at their end when something beside them takes room away.
 *
 * @returns {Set<Element>} the lists that stand at their end, kept up to date as they are scrolled.
 */
function followEnds(lists) {
  const ends = new Set(lists);
  const resized = new ResizeObserver((entries) => {
    for (const { target } of entries) if (ends.has(target)) target.scrollTop = target.scrollHeight;
  });
  for (const list of lists) {
    resized.observe(list);
    list.addEventListener("scroll", () => {
      if (list.scrollHeight - list.scrollTop - list.clientHeight < AT_THE_END) ends.add(list);
      else ends.delete(list);
    });
  }
  return ends;
}

/** The composer: Enter sends, and a slash offers the command. */
function composer(send) {
  const input = at("composer");
  const list = at("commands");
  const [option] = list.children;
  let active = false;

  function offer() {
    const text = input.value;
    const offered = text.startsWith("/") && COMMAND.startsWith(text) && text !== COMMAND;
    list.hidden = !offered;
    input.setAttribute("aria-expanded", String(offered));
    activate(offered && active);
  }

  function activate(on) {
    active = on;
    option.setAttribute("aria-selected", String(on));
    if (on) input.setAttribute("aria-activedescendant", option.id);
    else input.removeAttribute("aria-activedescendant");
  }

  function complete() {
    input.value = COMMAND;
    offer();
    input.focus();
  }

  input.addEventListener("input", offer);
  input.addEventListener("blur", () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    activate(false);
  });
  input.addEventListener("focus", offer);
  input.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") activate(!active);
    else if (event.key === "Enter") complete();
    else if (event.key === "Escape") {
      list.hidden = true;
      input.setAttribute("aria-expanded", "false");
      activate(false);
    } else return;
    event.preventDefault();
  });
  // Before the input loses the focus, and with it the list its offer.
  option.addEventListener("mousedown", (event) => {
    event.preventDefault();
    complete();
  });
  at("say").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    input.value = "";
    offer();
    const taken = await send(text);
    if (!taken && input.value === "") input.value = text;
  });
}

function drawBotAway(bot) {
  const words = !bot.running
    ? "The bot is not running, so nothing answers. Start it in the Bot panel."
    : bot.ready
      ? ""
      : "The bot is starting.";
  at("bot-away").hidden = words === "";
  say(at("bot-away"), words);
}

const count = (replies) => (replies === 1 ? "1 reply" : `${replies} replies`);

const shade = (name) => [...name].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % AVATARS;

const initials = (name) =>
  name
    .split(/\s+/)
    .slice(0, 2)
    .map((word) => [...word][0] ?? "")
    .join("")
    .toUpperCase();
