/**
 * The sandbox's page: follows the sandbox's state, draws it, and says what a person did.
 *
 * Who one is and where stands in the address (`?as=U…&in=C…`), so that two windows can be two
 * people. Everything else is the sandbox's: reloading the page loses nothing.
 */

import { follow, teller } from "./control.js";
import { conversation } from "./conversation.js";
import { at, options, say } from "./dom.js";
import { modalDialog } from "./modal.js";
import { records } from "./records.js";
import { standIns } from "./standins.js";

const STOPPED = "The sandbox has stopped. Start it again with: python -m bot sandbox";

function main() {
  let where = fromAddress();
  let state = null;

  const names = {
    person: (id) => state?.people.find((person) => person.id === id)?.name,
    channel: (id) => state?.channels.find((channel) => channel.id === id)?.name,
    get me() {
      return where.as;
    },
  };
  const tell = teller((sentence) => (sentence === null ? stopped(null) : notice(sentence)));
  const tellAsMe = (action) => tell({ ...action, as: where.as });

  const drawConversation = conversation({
    tell: tellAsMe,
    names,
    go: (channel) => move({ ...where, channel }),
  });
  const drawModal = modalDialog({ tell: tellAsMe, names });
  const drawStandIns = standIns({ tell });
  const drawRecords = records({ names });

  const line = follow({
    onState(answer) {
      stopped("");
      state = answer;
      draw();
    },
    onLost: stopped,
  });

  function draw() {
    settle();
    waiting(false);
    drawWho();
    drawConversation(state, where);
    drawModal(state.modal);
    drawStandIns(state);
    drawRecords(state);
  }

  /** Where the address names nobody, or a channel this person does not see: the first there is. */
  function settle() {
    const as = state.people.some(({ id }) => id === where.as)
      ? where.as
      : (state.people[0]?.id ?? "");
    const channel = state.channels.some(({ id }) => id === where.channel)
      ? where.channel
      : (state.channels[0]?.id ?? "");
    if (as === where.as && channel === where.channel) return;
    const stranger = as !== where.as;
    where = { as, channel };
    history.replaceState(null, "", toAddress(where));
    if (stranger) line.as(as);
  }

  function drawWho() {
    const words = ({ name, title }) => (title ? `${name} (${title})` : name);
    options(
      at("me"),
      state.people.map((person) => [person.id, words(person)]),
      where.as,
    );
    const place = state.people.findIndex(({ id }) => id === where.as);
    const other = state.people[(place + 1) % state.people.length];
    const link = at("second-window");
    link.hidden = !other || other.id === where.as;
    if (!other) return;
    say(link, `Open a second window as ${other.name}`);
    link.href = toAddress({ as: other.id, channel: where.channel });
    const here = [names.channel(where.channel), names.person(where.as), "kayran-notify sandbox"];
    document.title = here.filter(Boolean).join(" · ");
  }

  function move(to) {
    history.pushState(null, "", toAddress(to));
    arrive(to);
  }

  function arrive(to) {
    const isSomeoneElse = to.as !== where.as;
    where = to;
    if (isSomeoneElse) {
      waiting(true);
      line.as(to.as);
    } else if (state) draw();
  }

  /** Between two people nothing can be said or pressed: it would be said by the wrong one. */
  function waiting(on) {
    at("slack").setAttribute("aria-busy", String(on));
    for (const id of ["composer", "send"]) at(id).disabled = on;
    if (on) drawModal(null);
  }

  /** "" takes the message away; null is no answer at all. */
  function stopped(sentence) {
    const words = sentence ?? STOPPED;
    at("stopped").hidden = words === "";
    say(at("stopped"), words);
    if (words !== "") drawModal(null); // A form nobody answers for would only be in the way.
  }

  function notice(sentence) {
    at("notice-text").textContent = sentence;
    at("notice").hidden = false;
  }

  at("notice-close").addEventListener("click", () => {
    at("notice").hidden = true;
    at("composer").focus();
  });
  at("me").addEventListener("change", ({ target }) => move({ ...where, as: target.value }));
  window.addEventListener("popstate", () => arrive(fromAddress()));
  line.as(where.as);
}

function fromAddress() {
  const query = new URLSearchParams(location.search);
  return { as: query.get("as") ?? "", channel: query.get("in") ?? "" };
}

const toAddress = ({ as, channel }) => `?${new URLSearchParams({ as, in: channel })}`;

main();
