/**
 * Small words for building the page: elements, keyed lists, and focus that survives a redraw.
 *
 * Warning: text of people, the bot and Kayran passes through here. It becomes text nodes and
 * attribute values only; nothing on this page is ever parsed as HTML.
 */

/** The element of the page with this id. */
export const at = (id) => document.getElementById(id);

let ids = 0;

/** An id no other element of this page has: for labels and descriptions. */
export const freshId = (prefix) => `${prefix}-${(ids += 1)}`;

/**
 * Build an element.
 *
 * A property that starts with "on" is an event listener, "class" and "data" (an object) are what
 * they say, `true` is an attribute without a value, and `null`, `undefined` or `false` leaves
 * the attribute out.
 */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Set text only where it differs, so that a screen reader is not told the same thing again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Make the children of `container` match `items`, keeping the nodes of items that did not change.
 *
 * @param {Element} container
 * @param {Array} items
 * @param {{key: function, draw: function, sign?: function}} how `key` tells items apart, `draw`
 *   builds the node, `sign` says what the drawing depends on (the whole item unless told). When a
 *   node that holds the focus has to be replaced, the focus goes to the same control in the new
 *   node, or to the new node itself.
 */
export function keep(container, items, { key, draw, sign = JSON.stringify }) {
  const old = new Map([...container.children].map((node) => [keyOf.get(node), node]));
  let previous = null;
  for (const item of items) {
    const itemKey = String(key(item));
    const signature = sign(item);
    let node = old.get(itemKey);
    old.delete(itemKey);
    if (!node || drawnFrom.get(node) !== signature) {
      const stale = node;
      node = draw(item);
      keyOf.set(node, itemKey);
      drawnFrom.set(node, signature);
      if (stale) replaceKeepingFocus(stale, node);
    }
    const place = previous ? previous.nextSibling : container.firstChild;
    if (node !== place) container.insertBefore(node, place);
    previous = node;
  }
  for (const node of old.values()) node.remove();
}

/** The key of each kept node, and what it was drawn from. */
const keyOf = new WeakMap();
const drawnFrom = new WeakMap();

function replaceKeepingFocus(stale, node) {
  const focused = stale.contains(document.activeElement) ? document.activeElement : null;
  const control = focused?.dataset.control;
  stale.replaceWith(node);
  if (!focused) return;
  const twin = control && node.querySelector(`[data-control="${CSS.escape(control)}"]`);
  (twin || node).focus({ preventScroll: true });
}

/** Fill a select with [value, words] pairs and choose one, touching it only where it differs. */
export function options(select, pairs, chosen) {
  const signature = JSON.stringify(pairs);
  if (drawnFrom.get(select) !== signature) {
    select.replaceChildren(...pairs.map(([value, words]) => el("option", { value }, words)));
    drawnFrom.set(select, signature);
    select.value = chosen;
  }
  if (select.value !== chosen) select.value = chosen;
}
