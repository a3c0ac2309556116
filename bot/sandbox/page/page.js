/**
 * The sandbox's page: follows what has changed, and tells what a person did.
 *
 * Regions of the page are drawn by the sandbox. `/events` sends the versions of all of them whenever
 * something has changed; a region whose version is another one is fetched and put in place node by node,
 * so that the focus, what is typed and where one has scrolled to stay as they are.
 */

const at = (id) => document.getElementById(id);
const regions = Object.fromEntries([...document.querySelectorAll("[data-region]")].map((node) => [node.id, node]));
const stale = new Set();
let events;
let fetching;
let actions = 0; // How many there were: what was fetched before the last one is out of date.
let sending = Promise.resolve();
let focusedBefore; // Where the focus was before the modal opened.

function follow() {
  events?.close();
  events = new EventSource(`events${location.search}`);
  events.onmessage = ({ data }) => {
    at("stopped").hidden = true;
    const versions = Object.entries(JSON.parse(data));
    refresh(versions.filter(([name, version]) => regions[name].dataset.version !== version).map(([name]) => name));
  };
  events.onerror = () => { at("stopped").hidden = false; }; // It tries again by itself.
}

/** Fetch these regions, those that were asked for meanwhile too; resolves when all are in place. */
function refresh(names) {
  for (const name of names) stale.add(name);
  fetching ??= fetchStale().catch(() => {}).finally(() => { fetching = null; });
  return fetching;
}

async function fetchStale() {
  for (const name of stale) {
    stale.delete(name); // A Set goes on to what is added while it is gone through.
    const asked = [actions, location.search].join(); // First: what is done while this waits makes it stale.
    await sending;
    const answer = await fetch(`regions/${name}${location.search}`);
    const html = await answer.text();
    if (asked !== [actions, location.search].join()) stale.add(name);
    else if (answer.ok) replace(regions[name], html, answer.headers.get("ETag"));
  }
}

function replace(region, html, version) {
  const focused = document.activeElement;
  const [hadModal, hadErrors] = [hasModal(), document.querySelectorAll("dialog [aria-invalid]").length];
  const fresh = region.cloneNode(false);
  fresh.innerHTML = html;
  fresh.dataset.version = version;
  morph(region, fresh);
  if (region === regions.modal) modalChanged(hadModal, hadErrors, focused);
  else if (!focused.isConnected) (region.querySelector("h2[tabindex]") ?? at("composer")).focus();
}

/** Make a node what a fresh one is, with the nodes that are there already where they have the same id. */
function morph(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE && old.data !== fresh.data) old.data = fresh.data;
  if (old.nodeType !== Node.ELEMENT_NODE) return;
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(name === "open" && old.matches("details"))) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const ids = new Set([...fresh.children].map(({ id }) => id));
  for (const child of [...old.children]) if (child.id && !ids.has(child.id)) child.remove();
  let next = old.firstChild;
  const dropNext = () => {
    const gone = next;
    next = gone.nextSibling;
    gone.remove();
  };
  for (const child of [...fresh.childNodes]) {
    const twin = child.id ? [...old.children].find(({ id }) => id === child.id) : next;
    while (twin && child.id && next !== twin && next && !next.id) dropNext(); // Moving it would lose the focus.
    if (twin?.nodeName === child.nodeName && (twin.id ?? "") === (child.id ?? "")) {
      if (twin === next) next = next.nextSibling;
      else old.insertBefore(twin, next);
      morph(twin, child);
    } else old.insertBefore(child, next);
  }
  while (next) dropNext();
  if (old.matches("input[type=checkbox], input[type=radio]")) old.checked = fresh.checked;
  else if (old.matches("input, textarea") && old !== document.activeElement) old.value = fresh.value;
  else if (old.matches("option")) old.selected = fresh.selected;
}

const hasModal = () => Boolean(document.querySelector("dialog"));

/** While a modal is open the conversation is out of reach, but Kayran and the bot are not: what happens
 *  to a form when the world changes behind it is what a sandbox is for. */
function modalChanged(had, hadErrors, focused) {
  const has = (at("desk").inert = hasModal());
  const wrong = document.querySelectorAll("dialog [aria-invalid]");
  if (has && !had) focusedBefore = focused;
  if (has && wrong.length > hadErrors) wrong[0].focus();
  else if (has && (!had || !focused.isConnected)) at("modal-title").focus();
  else if (had && !has && !focused.isConnected) (focusedBefore?.isConnected && focusedBefore !== document.body ? focusedBefore : at("composer")).focus();
}

/** Tell the sandbox what a person did, one thing after the other; whether it was taken. */
function send(form, action, submitter) {
  const body = new URLSearchParams(new FormData(form, submitter));
  const where = location.search;
  actions += 1;
  sending = sending.then(async () => {
    const answer = await fetch(`${action}${where}`, { method: "POST", body }).catch(() => null);
    if (answer?.ok) return true;
    at("notice").firstElementChild.textContent = answer ? await answer.text() : "The sandbox does not answer.";
    at("notice").hidden = false;
    return false;
  });
  sending.then((taken) => refresh(taken ? ["modal"] : Object.keys(regions)));
  return sending;
}

/** Be somebody else, or somewhere else; the focus goes to that element, unless it has moved meanwhile. */
async function navigate(where, focus) {
  const focused = document.activeElement;
  history.pushState(null, "", where);
  follow();
  await refresh(Object.keys(regions));
  if (!focused.isConnected || focused === document.activeElement) (at(focus) ?? at("composer")).focus();
}

document.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { target: form, submitter } = event;
  if (submitter?.ariaDisabled === "true") return;
  form.closest("details.menu")?.removeAttribute("open");
  if (form.id === "view") submitter.ariaDisabled = "true"; // Until the sandbox says how it is.
  if (!form.matches(".composer")) return void send(form, form.getAttribute("action"), submitter);
  const typed = at("composer").value;
  if (!typed.trim()) return;
  const taken = send(form, form.getAttribute("action"));
  at("composer").value = "";
  if (!(await taken) && !at("composer").value) at("composer").value = typed;
});

document.addEventListener("change", ({ target }) => {
  const form = target.form;
  if (form?.matches(".who")) navigate(`?${new URLSearchParams(new FormData(form))}`, target.id);
  else if (form?.dataset.change) send(form, form.dataset.change);
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-go]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    navigate(link.getAttribute("href"), link.dataset.go);
  }
  for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = menu.contains(event.target);
  if (event.target.closest("#notice button")) {
    at("notice").hidden = true;
    at("composer").focus();
  }
});

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  // Enter on a checkbox would submit the form, which nobody expects of it.
  if (key === "Enter" && target.matches("dialog input[type=checkbox], dialog input[type=radio]")) event.preventDefault();
  if (key === "Escape") target.closest("details.menu")?.removeAttribute("open");
  const pane = document.querySelector("dialog") ?? at("thread");
  if (key === "Escape" && (pane.contains(target) || target === document.body)) pane.querySelector("[data-escape]")?.click();
});

window.addEventListener("popstate", () => { follow(); refresh(Object.keys(regions)); });
if (hasModal()) modalChanged(false, 0, document.body);
follow();
