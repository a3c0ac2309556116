/**
 * Slack's confirmation dialog, asked before a button that carries one is pressed:
 * https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object
 */

import { at } from "./dom.js";
import { textObject } from "./mrkdwn.js";

/** Ask; resolves to whether the person went on. Without a confirmation object: at once, yes. */
export function confirmed(confirmation, names) {
  if (!confirmation) return Promise.resolve(true);
  const dialog = at("confirm");
  at("confirm-title").textContent = confirmation.title?.text ?? "";
  at("confirm-text").replaceChildren(...textObject(confirmation.text, names));
  at("confirm-do").textContent = confirmation.confirm?.text ?? "Yes";
  at("confirm-do").className = `button ${confirmation.style === "danger" ? "danger" : "primary"}`;
  at("confirm-deny").textContent = confirmation.deny?.text ?? "Cancel";
  dialog.returnValue = "";
  at("confirm-do").onclick = () => dialog.close("yes");
  at("confirm-deny").onclick = () => dialog.close("");
  dialog.showModal();
  return new Promise((answer) => {
    dialog.addEventListener("close", () => answer(dialog.returnValue === "yes"), { once: true });
  });
}
