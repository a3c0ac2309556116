/**
 * Block Kit as DOM nodes: https://docs.slack.dev/reference/block-kit
 *
 * Drawn are the blocks and elements a bot of this kind uses. Anything else becomes a visible note
 * rather than a gap. Pictures are named, not fetched: the page loads nothing from elsewhere.
 */

import { el, freshId } from "./dom.js";
import { textLine, textObject } from "./mrkdwn.js";

/**
 * Nodes for a list of blocks.
 *
 * @param {Array<object>} blocks Slack's JSON.
 * @param {object} surface where they stand and who listens:
 *   `names` (looks ids up, see mrkdwn.js), `press(element, button)` for buttons,
 *   `change(block, element, values)` for what can be ticked, chosen or typed, and
 *   `valuesOf(block, element)`, the values it holds now.
 */
export function drawBlocks(blocks, surface) {
  return blocks.map((block) => {
    const draw = Object.hasOwn(BLOCKS, block.type) ? BLOCKS[block.type] : unknownBlock;
    const node = draw(block, surface);
    if (block.block_id) node.dataset.blockId = block.block_id;
    return node;
  });
}

const BLOCKS = {
  header: (block) => el("h3", { class: "block header" }, block.text.text),
  divider: () => el("hr", { class: "block" }),
  section,
  context: (block, surface) =>
    el(
      "div",
      { class: "block context" },
      block.elements.map((item) => contextItem(item, surface)),
    ),
  actions: (block, surface) =>
    el(
      "div",
      { class: "block actions" },
      block.elements.map((item) => drawElement(block, item, surface)),
    ),
  input,
  image: (block) => picture(block),
  markdown: (block) => el("div", { class: "block plain" }, block.text),
};

function unknownBlock(block) {
  return el(
    "p",
    { class: "block unknown" },
    `A block of type “${block.type}”: this page does not draw those.`,
  );
}

function section(block, surface) {
  const fields = (block.fields || []).map((field) =>
    el("div", { class: "field" }, textObject(field, surface.names)),
  );
  return el(
    "div",
    { class: block.accessory ? "block section with-accessory" : "block section" },
    el(
      "div",
      { class: "section-text" },
      block.text ? textObject(block.text, surface.names) : null,
      fields.length ? el("div", { class: "fields" }, fields) : null,
    ),
    block.accessory
      ? el("div", { class: "accessory" }, drawElement(block, block.accessory, surface))
      : null,
  );
}

function contextItem(item, surface) {
  if (item.type === "image") return picture(item);
  return el("div", { class: "context-item" }, textObject(item, surface.names));
}

function picture({ alt_text: words, image_url: address, title }) {
  return el(
    "p",
    { class: "block picture" },
    `Picture: ${words || title?.text || address || "without a description"}`,
  );
}

/** An input block: its label, hint, the place for its error, and its one element. */
function input(block, surface) {
  const { names } = surface;
  const hintId = block.hint && freshId("hint");
  const errorId = freshId("error");
  const describedBy = [hintId, errorId].filter(Boolean).join(" ");
  const optional = block.optional ? el("span", { class: "optional" }, " (optional)") : null;
  const below = [
    block.hint ? el("p", { class: "hint", id: hintId }, textLine(block.hint, names)) : null,
    el("p", { class: "field-error", id: errorId, role: "alert" }),
  ];
  const isGroup = ["checkboxes", "radio_buttons"].includes(block.element.type);
  if (isGroup) {
    return el(
      "fieldset",
      {
        class: "block input",
        "aria-describedby": describedBy,
        data: { required: String(!block.optional) },
      },
      el("legend", { class: "label" }, textLine(block.label, names), optional),
      drawElement(block, block.element, surface, {}),
      below,
    );
  }
  const controlId = freshId("control");
  return el(
    "div",
    { class: "block input", data: { required: String(!block.optional) } },
    el("label", { class: "label", for: controlId }, textLine(block.label, names), optional),
    drawElement(block, block.element, surface, { id: controlId, "aria-describedby": describedBy }),
    below,
  );
}

/** One interactive element; `naming` are attributes that name it where no label does. */
function drawElement(block, element, surface, naming = null) {
  const draw = Object.hasOwn(ELEMENTS, element.type) ? ELEMENTS[element.type] : unknownElement;
  return draw(element, { block, surface, naming: naming ?? { "aria-label": unnamed(element) } });
}

const unnamed = (element) =>
  element.accessibility_label || element.placeholder?.text || element.action_id;

const ELEMENTS = {
  button,
  image: (element) => picture(element),
  checkboxes: (element, where) => choices("checkbox", element, where),
  radio_buttons: (element, where) => choices("radio", element, where),
  plain_text_input: textInput,
  email_text_input: textInput,
  url_text_input: textInput,
  number_input: textInput,
  static_select: dropDown,
  overflow: dropDown,
};

function unknownElement(element) {
  return el(
    "p",
    { class: "unknown" },
    `An element of type “${element.type}”: this page does not draw those.`,
  );
}

function button(element, { block, surface }) {
  const node = el(
    "button",
    {
      type: "button",
      class: ["button", "small", element.style].filter(Boolean).join(" "),
      "aria-label": element.accessibility_label,
      data: { control: `${block.block_id}/${element.action_id}`, actionId: element.action_id },
      onclick: () => {
        if (node.getAttribute("aria-disabled") !== "true") surface.press(element, node);
      },
    },
    element.text.text,
  );
  return node;
}

function choices(kind, element, { block, surface, naming }) {
  const held = new Set(surface.valuesOf(block, element));
  const name = freshId(kind);
  const role = "aria-label" in naming ? "group" : null; // Inside a fieldset it is one already.
  const group = el("div", {
    ...naming,
    role,
    class: "choices",
    data: { holder: holder(block, element) },
  });
  const report = () => surface.change(block, element, valuesIn(group));
  group.append(
    ...element.options.map((option) => {
      const id = freshId("option");
      const description = option.description
        ? el(
            "span",
            { class: "description", id: `${id}-about` },
            textLine(option.description, surface.names),
          )
        : null;
      const box = el("input", {
        type: kind,
        id,
        name,
        value: option.value,
        "aria-describedby": description && description.id,
        data: { control: `${block.block_id}/${element.action_id}/${option.value}` },
        onchange: report,
      });
      box.checked = held.has(option.value);
      const label = el("label", { for: id }, textLine(option.text, surface.names));
      return el(
        "div",
        { class: "choice" },
        box,
        el("span", { class: "choice-words" }, label, description),
      );
    }),
  );
  return group;
}

function textInput(element, { block, surface, naming }) {
  const node = el(element.multiline ? "textarea" : "input", {
    ...naming,
    class: "text-input",
    type: element.multiline ? null : "text",
    rows: element.multiline ? 4 : null,
    placeholder: element.placeholder?.text,
    maxlength: element.max_length,
    data: { holder: holder(block, element), control: `${block.block_id}/${element.action_id}` },
    onchange: () => surface.change(block, element, valuesIn(node)),
  });
  [node.value = ""] = surface.valuesOf(block, element);
  return node;
}

function dropDown(element, { block, surface, naming }) {
  const empty = element.placeholder?.text || "Choose one";
  const groups = element.option_groups || [{ options: element.options || [] }];
  const node = el(
    "select",
    {
      ...naming,
      data: { holder: holder(block, element), control: `${block.block_id}/${element.action_id}` },
      onchange: () => surface.change(block, element, valuesIn(node)),
    },
    el("option", { value: "" }, empty),
    groups.map(({ label, options }) => {
      const drawn = options.map((option) =>
        el("option", { value: option.value }, option.text.text),
      );
      return label ? el("optgroup", { label: label.text }, drawn) : drawn;
    }),
  );
  [node.value = ""] = surface.valuesOf(block, element);
  return node;
}

const holder = (block, element) => JSON.stringify([block.block_id, element.action_id]);

/** The controls under `root` that hold values: [node, block id, action id] each. */
export function holders(root) {
  return [...root.querySelectorAll("[data-holder]")].map((node) => [
    node,
    ...JSON.parse(node.dataset.holder),
  ]);
}

/** The values a control holds: option values, or the text; none when empty. */
export function valuesIn(node) {
  if ("value" in node) return node.value === "" ? [] : [node.value];
  return [...node.querySelectorAll("input")].filter((box) => box.checked).map((box) => box.value);
}

/** Make a control hold these values, without telling anyone. */
export function hold(node, values) {
  if ("value" in node) {
    if (node.value !== (values[0] ?? "")) node.value = values[0] ?? "";
    return;
  }
  for (const box of node.querySelectorAll("input")) {
    if (box.checked !== values.includes(box.value)) box.checked = values.includes(box.value);
  }
}

/** The values an element starts with, as its JSON says. */
export function initialValues(element) {
  if (element.initial_options) return element.initial_options.map((option) => option.value);
  if (element.initial_option) return [element.initial_option.value];
  return element.initial_value ? [element.initial_value] : [];
}
