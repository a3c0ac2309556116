/**
 * The form a person has open in Slack, as a dialog over the Slack part of the page.
 *
 * It is not a modal dialog in HTML's sense: Slack's part is inert while it is open, but Kayran's
 * switches, the next answers and the bot's buttons stay in reach, because what happens to a form
 * when the world changes behind it is what a sandbox is for.
 *
 * What is drawn follows the view's id and hash. A tick goes to the sandbox and comes back with the
 * next state; nothing is redrawn for it, so the focus stays where it was.
 */

import { drawBlocks, hold, holders, initialValues, valuesIn } from "./blocks.js";
import { confirmed } from "./confirm.js";
import { at, say } from "./dom.js";

/** Slack's own words under a required field that is empty. */
const REQUIRED = "Please complete this required field.";

/** Milliseconds for which what a person just ticked stands against an older state on its way. */
const TICK_ON_ITS_WAY = 2000;

/** Milliseconds the submit button stays busy until the sandbox says itself that it is. */
const SUBMIT_ON_ITS_WAY = 400;

/** What lies under the form. */
const BESIDE = ["channels", "conversation", "thread"];

/** Where the focus goes after it when what had it is gone: whichever is in sight. */
const BACK_TO = ["composer", "thread-title"];

/**
 * The dialog, wired up.
 *
 * @param {{tell: function, names: object}} with_ `tell(action)` tells the sandbox, without `as`.
 * @returns {function(object|null)} draws the `modal` of a state; null closes.
 */
export function modalDialog({ tell, names }) {
  const dialog = at("modal");
  const form = at("modal-form");
  const body = at("modal-body");
  const submit = at("modal-submit");

  let shown = null; // the modal of the last state, or null
  let cameFrom = null; // where the focus was before it opened
  let sending = false;
  const missing = new Map(); // block id -> what the client-side check says
  const ticked = new WeakMap(); // holder node -> {values, at}: told, perhaps not yet in the state

  const surface = {
    names,
    valuesOf: (block, element) =>
      shown.state?.[block.block_id]?.[element.action_id] ?? initialValues(element),
    change(block, element, values) {
      const [node] = holders(body).find(
        ([, blockId, actionId]) => blockId === block.block_id && actionId === element.action_id,
      );
      ticked.set(node, { values, at: Date.now() });
      if (missing.delete(block.block_id)) drawErrors();
      void tell({ do: "tick", block_id: block.block_id, action_id: element.action_id, values });
    },
    async press(element) {
      if (!(await confirmed(element.confirm, names))) return;
      void tell({ do: "press-in-modal", action_id: element.action_id });
    },
  };

  function open() {
    cameFrom = document.activeElement;
    for (const id of BESIDE) at(id).inert = true;
    at("scrim").hidden = false;
    at("slack").classList.add("with-modal");
    dialog.show();
    if (matchMedia("(max-width: 60rem)").matches) at("slack").scrollIntoView({ block: "start" });
    at("modal-title").focus({ preventScroll: true });
  }

  function close() {
    shown = null;
    missing.clear();
    if (!dialog.open) return;
    const hadFocus =
      dialog.contains(document.activeElement) || document.activeElement === document.body;
    dialog.close();
    at("scrim").hidden = true;
    at("slack").classList.remove("with-modal");
    for (const id of BESIDE) at(id).inert = false;
    const isThere = cameFrom?.isConnected && cameFrom !== document.body;
    if (hadFocus) (isThere ? cameFrom : at(BACK_TO.find((id) => at(id).offsetParent))).focus();
  }

  function redraw() {
    const { view } = shown;
    const focused = body.contains(document.activeElement) ? document.activeElement : null;
    const hadFields = Boolean(body.querySelector(".input"));
    const hasFields = (view.blocks || []).some((block) => block.type === "input");
    missing.clear();
    // A view of words alone is read out whole; of a form only that it is there, to be read at will.
    body.setAttribute("aria-live", hasFields ? "off" : "polite");
    dialog.dataset.viewId = shown.id;
    at("modal-title").textContent = view.title?.text ?? "";
    body.replaceChildren(...drawBlocks(view.blocks || [], surface));
    body.scrollTop = 0;
    submit.hidden = !view.submit;
    submit.textContent = view.submit?.text ?? "";
    at("modal-close").textContent = view.close?.text ?? (view.submit ? "Cancel" : "Close");
    if (!dialog.open) {
      say(at("modal-status"), "");
      open();
      return;
    }
    say(
      at("modal-status"),
      !hasFields ? "" : hadFields ? "The form has changed." : "The form is ready.",
    );
    if (focused) refocus(focused.dataset.control);
  }

  /** After a redraw under the focus: the same control if there is one, else the title. */
  function refocus(control) {
    const twin = control && body.querySelector(`[data-control="${CSS.escape(control)}"]`);
    (twin || at("modal-title")).focus({ preventScroll: true });
  }

  function drawErrors() {
    const errors = { ...shown.errors, ...Object.fromEntries(missing) };
    for (const block of body.querySelectorAll(".input")) {
      const message = errors[block.dataset.blockId] ?? "";
      say(block.querySelector(".field-error"), message);
      for (const control of block.querySelectorAll("input, textarea, select")) {
        if (message) control.setAttribute("aria-invalid", "true");
        else control.removeAttribute("aria-invalid");
      }
    }
  }

  function focusFirstError() {
    const control = body.querySelector("[aria-invalid]");
    control?.focus({ preventScroll: true });
    control?.closest(".block").scrollIntoView({ block: "nearest" });
  }

  function drawBusy() {
    const busy = sending || Boolean(shown?.busy);
    dialog.setAttribute("aria-busy", String(busy));
    submit.setAttribute("aria-disabled", String(busy));
    submit.classList.toggle("busy", busy);
    if (busy && body.contains(document.activeElement)) submit.focus();
    body.inert = busy;
    if (busy) say(at("modal-status"), "Sending…");
    else if (at("modal-status").textContent === "Sending…") say(at("modal-status"), "");
  }

  /** Take over values the state holds and a person here did not just change. */
  function takeOverValues() {
    for (const [node, blockId, actionId] of holders(body)) {
      const values = shown.state?.[blockId]?.[actionId];
      if (!values) continue;
      const own = ticked.get(node);
      const arrived =
        own && JSON.stringify([...own.values].sort()) === JSON.stringify([...values].sort());
      if (arrived) ticked.delete(node);
      const stillOnItsWay = own && !arrived && Date.now() - own.at < TICK_ON_ITS_WAY;
      const beingTyped = node === document.activeElement && node.matches("input, textarea");
      if (!stillOnItsWay && !beingTyped) hold(node, values);
    }
  }

  function checkRequired() {
    missing.clear();
    for (const block of body.querySelectorAll('[data-required="true"]')) {
      const node = block.querySelector("[data-holder]");
      if (node && valuesIn(node).length === 0) missing.set(block.dataset.blockId, REQUIRED);
    }
    drawErrors();
    return missing.size === 0;
  }

  async function onSubmit(event) {
    event.preventDefault();
    if (!shown?.view.submit || sending || shown.busy) return;
    if (!checkRequired()) {
      focusFirstError();
      return;
    }
    sending = true;
    drawBusy();
    const taken = await tell({ do: "submit" });
    setTimeout(
      () => {
        sending = false;
        drawBusy();
      },
      taken ? SUBMIT_ON_ITS_WAY : 0,
    );
  }

  const askToClose = () => void tell({ do: "close" });

  form.addEventListener("submit", onSubmit);
  at("modal-dismiss").addEventListener("click", askToClose);
  at("modal-close").addEventListener("click", askToClose);
  body.addEventListener("keydown", (event) => {
    // Enter on a checkbox would submit the form, which nobody expects of it.
    if (
      event.key === "Enter" &&
      event.target.matches('input[type="checkbox"], input[type="radio"]')
    )
      event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !dialog.open || event.defaultPrevented || at("confirm").open)
      return;
    if (dialog.contains(event.target) || event.target === document.body) askToClose();
  });

  return (modal) => {
    if (!modal) {
      sending = false;
      close();
      return;
    }
    const before = shown;
    shown = modal;
    const isNewView = !before || before.id !== modal.id || before.hash !== modal.hash;
    if (isNewView) {
      sending = false;
      redraw();
    } else takeOverValues();
    say(at("modal-banner"), modal.banner ?? "");
    const newErrors = JSON.stringify(modal.errors ?? {}) !== JSON.stringify(before?.errors ?? {});
    if (isNewView || newErrors) drawErrors();
    drawBusy();
    if (newErrors && body.querySelector("[aria-invalid]")) focusFirstError();
  };
}
