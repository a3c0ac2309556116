/**
 * The panels behind the scenes: what Kayran holds, what the stand-ins answer next, the bot's
 * process.
 */

import { at, el, keep, options, say } from "./dom.js";

/** Calls to Kayran shown in its panel; the wire log has the rest. */
const CALLS_SHOWN = 4;

/**
 * The panels, wired up.
 *
 * @param {{tell: function}} with_ tells the sandbox.
 * @returns {function(object)} draws a state.
 */
export function standIns({ tell }) {
  at("kayran-next").addEventListener(
    "change",
    ({ target }) => void tell({ do: "kayran-next", answer: target.value }),
  );
  at("slack-next").addEventListener(
    "change",
    ({ target }) => void tell({ do: "slack-next", answer: target.value }),
  );
  at("kill-bot").addEventListener("click", ({ currentTarget }) =>
    command(currentTarget, "kill-bot"),
  );
  at("start-bot").addEventListener("click", ({ currentTarget }) =>
    command(currentTarget, "start-bot"),
  );

  // Not `disabled`: that would take the focus away from whoever just pressed it.
  function command(button, action) {
    if (button.getAttribute("aria-disabled") !== "true") void tell({ do: action });
  }

  function flagSwitch({ name, label, on }) {
    const box = el("input", {
      type: "checkbox",
      role: "switch",
      id: `flag-${name}`,
      value: name,
      data: { control: name },
      onchange: () => void tell({ do: "kayran-flag", name, on: box.checked }),
    });
    box.checked = on;
    return el("div", { class: "switch" }, box, el("label", { for: box.id }, label));
  }

  function drawKayran(kayran) {
    say(at("kayran-email"), kayran.email);
    const flags = Object.entries(kayran.flags).map(([name, on]) => ({
      name,
      on,
      label: kayran.labels[name] ?? name,
    }));
    keep(at("kayran-flags"), flags, {
      key: ({ name }) => name,
      sign: ({ label }) => label,
      draw: flagSwitch,
    });
    for (const { name, on } of flags) at(`flag-${name}`).checked = on;
    next(at("kayran-next"), kayran);
    const calls = numbered(kayran.calls).slice(-CALLS_SHOWN).reverse();
    keep(at("kayran-calls"), calls, { key: ({ place }) => place, draw: callLine });
    say(at("kayran-call-count"), kayran.calls.length ? String(kayran.calls.length) : "");
    at("kayran-no-calls").hidden = calls.length > 0;
  }

  function drawBot(bot) {
    const words = bot.running
      ? `${bot.ready ? "Running" : "Starting"}, pid ${bot.pid}`
      : "Not running";
    const starts = bot.starts === 1 ? "started once" : `started ${bot.starts} times`;
    say(at("bot-state"), `${words}, ${starts}`);
    at("bot-state").dataset.running = !bot.running ? "no" : bot.ready ? "yes" : "starting";
    at("kill-bot").setAttribute("aria-disabled", String(!bot.running));
    at("start-bot").setAttribute("aria-disabled", String(bot.running));
  }

  return (state) => {
    drawKayran(state.kayran);
    next(at("slack-next"), state.slack);
    drawBot(state.bot);
  };
}

function next(select, { next: chosen, answers }) {
  options(select, answers, chosen);
  select.closest(".next").classList.toggle("armed", chosen !== answers[0]?.[0]);
}

const numbered = (calls) => calls.map((call, place) => ({ ...call, place }));

function callLine({ time, function: name, result }) {
  return el(
    "li",
    {},
    el("span", { class: "time" }, time),
    el("code", {}, name),
    el("span", {}, result),
  );
}
