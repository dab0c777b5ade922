// The workspace page. Foreign text becomes text nodes only; nothing is ever parsed as HTML.

const byId = (id) => document.getElementById(id);
const ui = {
  state: null,
  me: localStorage.getItem("me") || "U0DANA",
  place: "C0FLOOR",
  thread: null,
  awaiting: null, // after a slash command: the newest ts then known, so that its thread can be opened
  drawn: new Map(),
};

// --- small helpers ---

function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function unescaped(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

function safeLink(address) {
  try {
    return ["http:", "https:", "mailto:"].includes(new URL(address, location.href).protocol) ? address : null;
  } catch {
    return null;
  }
}

let toastTimer = 0;
function toast(sentence) {
  clearTimeout(toastTimer);
  byId("toast").textContent = sentence;
  toastTimer = setTimeout(() => { byId("toast").textContent = ""; }, 6000);
}

async function send(act, body) {
  let answer;
  try {
    const response = await fetch(`/page/${act}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ user: ui.me, channel: ui.place, ...body }),
    });
    answer = await response.json();
  } catch {
    toast("The demo does not answer.");
    return;
  }
  if (answer.error) toast(`That did not work: ${answer.error}`);
  else if (answer.status >= 300) toast(`The app did not take it (${answer.status}).`);
}

// --- times ---

const inZone = (options) => new Intl.DateTimeFormat(undefined, options);
const clockTime = inZone({ hour: "numeric", minute: "2-digit" });
const longDay = inZone({ weekday: "long", month: "long", day: "numeric" });
const fullTime = inZone({ dateStyle: "full", timeStyle: "long" });

const dateForms = {
  date_num: (when) => [when.getFullYear(), when.getMonth() + 1, when.getDate()].map((part) => String(part).padStart(2, "0")).join("-"),
  date: (when) => inZone({ dateStyle: "long" }).format(when),
  date_short: (when) => inZone({ dateStyle: "medium" }).format(when),
  date_long: (when) => inZone({ dateStyle: "full" }).format(when),
  date_pretty: (when) => nearDay(when) ?? inZone({ dateStyle: "long" }).format(when),
  date_short_pretty: (when) => nearDay(when) ?? inZone({ dateStyle: "medium" }).format(when),
  date_long_pretty: (when) => nearDay(when) ?? inZone({ dateStyle: "full" }).format(when),
  time: (when) => clockTime.format(when),
  time_secs: (when) => inZone({ timeStyle: "medium" }).format(when),
  ago: (when) => ago(when),
};

function nearDay(when) {
  const days = Math.round((new Date(when).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 86_400_000);
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[days];
}

function ago(when) {
  const minutes = Math.round((when - Date.now()) / 60_000);
  const form = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
  if (Math.abs(minutes) < 90) return form.format(minutes, "minute");
  return Math.abs(minutes) < 2160 ? form.format(Math.round(minutes / 60), "hour") : form.format(Math.round(minutes / 1440), "day");
}

function dateNode(seconds, format, fallback) {
  const when = new Date(Number(seconds) * 1000);
  if (Number.isNaN(when.getTime())) return document.createTextNode(fallback);
  const shown = format.replace(/\{(\w+)\}/g, (all, name) => (dateForms[name] ? dateForms[name](when) : all));
  return make("time", { datetime: when.toISOString(), title: fullTime.format(when) }, shown);
}

const sentAt = (ts) => new Date(Number(ts.split(".")[0]) * 1000);

// --- mrkdwn ---

const MARK = /<([^<>\n]+)>|`([^`\n]+)`|(?<![\w*])\*(?=\S)([^\n]*?\S)\*(?![\w*])|(?<![\w_])_(?=\S)([^\n]*?\S)_(?![\w_])|(?<![\w~])~(?=\S)([^\n]*?\S)~(?![\w~])/;

function mrkdwn(text) {
  const fragment = document.createDocumentFragment();
  text.split("```").forEach((part, place) => {
    if (place % 2) fragment.append(make("pre", {}, unescaped(part.replace(/^\n|\n$/g, ""))));
    else if (part) fragment.append(...lines(place ? part.replace(/^\n/, "") : part));
  });
  return fragment;
}

function lines(text) {
  const runs = [];
  for (const line of text.split("\n")) {
    const quote = line.match(/^(?:&gt;|>) ?(.*)$/);
    const last = runs.at(-1);
    if (last && last.quoted === Boolean(quote)) last.rows.push(quote ? quote[1] : line);
    else runs.push({ quoted: Boolean(quote), rows: [quote ? quote[1] : line] });
  }
  return runs.flatMap(({ quoted, rows }) => {
    const nodes = inline(rows.join("\n"));
    return quoted ? [make("blockquote", {}, ...nodes)] : nodes;
  });
}

function inline(text) {
  const nodes = [];
  let rest = text;
  while (rest) {
    const found = rest.match(MARK);
    if (!found) break;
    if (found.index) nodes.push(document.createTextNode(unescaped(rest.slice(0, found.index))));
    nodes.push(marked(found));
    rest = rest.slice(found.index + found[0].length);
  }
  if (rest) nodes.push(document.createTextNode(unescaped(rest)));
  return nodes;
}

function marked([, token, code, bold, italic, strike]) {
  if (token !== undefined) return tokenNode(token);
  if (code !== undefined) return make("code", {}, unescaped(code));
  if (bold !== undefined) return make("strong", {}, ...inline(bold));
  if (italic !== undefined) return make("em", {}, ...inline(italic));
  return make("s", {}, ...inline(strike));
}

function tokenNode(token) {
  const [target, label] = token.split(/\|(.*)/s);
  if (target.startsWith("!date^")) {
    const [, seconds, format] = target.split("^");
    return dateNode(seconds, unescaped(format ?? "{date}"), unescaped(label ?? ""));
  }
  if (target.startsWith("@")) return mention("@" + (ui.state.users[target.slice(1)]?.name ?? label ?? target.slice(1)));
  if (target.startsWith("#")) return mention("#" + (channelName(target.slice(1)) ?? label ?? target.slice(1)));
  if (target.startsWith("!subteam^")) return mention("@" + (ui.state.groups[target.slice(9)] ?? label ?? target.slice(9)));
  if (target.startsWith("!")) return mention("@" + target.slice(1));
  return linkNode(unescaped(target), unescaped(label || target));
}

const mention = (text) => make("span", { class: "mention" }, text);

function linkNode(address, label) {
  const href = safeLink(address);
  return href ? make("a", { href, target: "_blank", rel: "noopener noreferrer" }, label) : document.createTextNode(label);
}

function channelName(id) {
  return ui.state.channels.find((channel) => channel.id === id)?.name;
}

function textNode(object) {
  if (!object) return null;
  if (object.type === "mrkdwn") return make("div", { class: "text" }, mrkdwn(object.text));
  return make("div", { class: "plain" }, object.text);
}

const plain = (object) => object?.text ?? "";

// --- rich text ---

function rich(block) {
  return make("div", { class: "rich text" }, ...block.elements.map(richPart));
}

function richPart(part) {
  if (part.type === "rich_text_list") {
    const items = part.elements.map((item) => make("li", {}, ...item.elements.map(richInline)));
    const list = make(part.style === "ordered" ? "ol" : "ul", {}, ...items);
    list.style.marginLeft = `${(part.indent ?? 0) * 22}px`;
    return list;
  }
  const tag = { rich_text_quote: "blockquote", rich_text_preformatted: "pre" }[part.type] ?? "div";
  return make(tag, {}, ...part.elements.map(richInline));
}

function richInline(element) {
  const node = richLeaf(element);
  const tags = { bold: "strong", italic: "em", strike: "s", code: "code", underline: "u" };
  return Object.entries(tags).reduce((inner, [name, tag]) => (element.style?.[name] ? make(tag, {}, inner) : inner), node);
}

function richLeaf(element) {
  switch (element.type) {
    case "link": return linkNode(element.url, element.text || element.url);
    case "user": return tokenNode(`@${element.user_id}`);
    case "channel": return tokenNode(`#${element.channel_id}`);
    case "usergroup": return tokenNode(`!subteam^${element.usergroup_id}`);
    case "emoji": return document.createTextNode(`:${element.name}:`);
    case "date": return dateNode(element.timestamp, element.format, element.fallback ?? "");
    default: return document.createTextNode(element.text ?? "");
  }
}

// --- blocks ---

const drawBlock = {
  header: (block) => make("div", { class: "block-header", role: "heading", "aria-level": "3" }, plain(block.text)),
  divider: () => make("hr", { class: "block-divider" }),
  section: drawSection,
  context: (block) => make("div", { class: "block-context" }, ...block.elements.map(contextElement)),
  actions: (block, surface) => make("div", { class: "block-actions" }, ...block.elements.map((one) => control(one, block, surface))),
  image: (block) => make("figure", { class: "block-image" }, picture(block), block.title ? make("figcaption", {}, plain(block.title)) : null),
  rich_text: rich,
  markdown: (block) => make("div", { class: "plain" }, block.text),
  table: drawTable,
  input: drawInput,
  alert: (block) => make("div", { class: "plain", role: "note" }, plain(block.text)),
};

function drawBlocks(blocks, surface) {
  const drawn = blocks.map((block) => {
    const draw = drawBlock[block.type];
    return draw ? draw(block, surface) : make("div", { class: "unknown" }, `(${block.type} cannot be shown here)`);
  });
  return make("div", { class: "blocks" }, ...drawn);
}

function drawSection(block, surface) {
  const fields = block.fields ? make("div", { class: "fields" }, ...block.fields.map(textNode)) : null;
  const body = make("div", { class: "body" }, textNode(block.text), fields);
  const beside = block.accessory ? control(block.accessory, block, surface) : null;
  return make("div", { class: "block-section" }, body, beside);
}

function contextElement(element) {
  return element.type === "image" ? picture(element) : textNode(element);
}

function picture(element) {
  const src = safeLink(element.image_url ?? "");
  return make("img", { src, alt: element.alt_text, loading: "lazy" });
}

function drawTable(block) {
  const cell = (one) => make("td", {}, one.type === "rich_text" ? rich(one) : one.text);
  const rows = block.rows.map((row) => make("tr", {}, ...row.map(cell)));
  return make("div", { class: "block-table", tabindex: "0" }, make("table", {}, make("tbody", {}, ...rows)));
}

function drawInput(block, surface) {
  const id = `input-${block.block_id}`;
  const error = surface.errors?.[block.block_id];
  const field = control(block.element, block, { ...surface, silent: !block.dispatch_action, inputId: id, label: plain(block.label) });
  const grouped = ["checkboxes", "radio_buttons"].includes(block.element.type);
  const label = make(grouped ? "div" : "label", grouped ? { class: "label" } : { for: id }, plain(block.label));
  if (block.optional) label.append(make("span", { class: "optional" }, " (optional)"));
  if (error) {
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", `${id}-error`);
  }
  const hint = block.hint ? make("div", { class: "hint-text" }, plain(block.hint)) : null;
  const told = error ? make("div", { class: "field-error", id: `${id}-error`, role: "alert" }, error) : null;
  return make("div", { class: "block-input" }, label, field, hint, told);
}

// --- controls ---

// A surface is {kind: "message"|"view", id, root (where sibling answers are read), errors?, silent?, inputId?, label?}.

function control(element, block, surface) {
  switch (element.type) {
    case "button": return buttonControl(element, block, surface);
    case "image": return make("img", { class: "accessory-image", src: safeLink(element.image_url), alt: element.alt_text });
    case "static_select": case "users_select": case "channels_select": case "conversations_select":
    case "multi_static_select": case "multi_users_select": return selectControl(element, block, surface);
    case "overflow": return overflowControl(element, block, surface);
    case "checkboxes": case "radio_buttons": return choiceControl(element, block, surface);
    default: return entryControl(element, block, surface);
  }
}

function buttonControl(element, block, surface) {
  const press = async (event) => {
    const button = event.currentTarget;
    if (element.confirm && !(await confirmed(element.confirm))) return;
    if (element.url) window.open(safeLink(element.url) ?? "about:blank", "_blank", "noopener");
    button.disabled = true;
    await pressed(surface, element, block);
    button.disabled = false;
  };
  const accessible = element.accessibility_label ?? null;
  return make("button", { type: "button", class: element.style ?? "button", "aria-label": accessible, onclick: press }, plain(element.text));
}

function offered(element) {
  const people = Object.entries(ui.state.users).map(([id, user]) => ({ value: id, label: user.name }));
  const places = ui.state.channels.map((channel) => ({ value: channel.id, label: `#${channel.name}` }));
  if (element.type.endsWith("users_select")) return [{ options: people }];
  if (["channels_select", "conversations_select"].includes(element.type)) return [{ options: places }];
  const listed = (options) => options.map((option) => ({ value: option.value, label: plain(option.text) }));
  if (element.option_groups) return element.option_groups.map((group) => ({ label: plain(group.label), options: listed(group.options) }));
  return [{ options: listed(element.options) }];
}

function selectControl(element, block, surface) {
  const many = element.type.startsWith("multi_");
  const initial = element.initial_option?.value ?? element.initial_user ?? element.initial_channel ?? element.initial_conversation
    ?? (element.default_to_current_conversation ? ui.place : "");
  const choice = ({ value, label }) => make("option", { value, selected: value === initial }, label);
  const groups = offered(element).flatMap(({ label, options }) =>
    label ? [make("optgroup", { label }, ...options.map(choice))] : options.map(choice));
  const placeholder = plain(element.placeholder) || "Choose";
  const first = many ? [] : [make("option", { value: "" }, placeholder)];
  return answering("select", { multiple: many, "aria-label": surface.inputId ? null : placeholder }, element, block, surface, ...first, ...groups);
}

function answering(tag, properties, element, block, surface, ...children) {
  const node = make(tag, { id: surface.inputId, ...properties, "data-block": block.block_id, "data-action": element.action_id, "data-kind": element.type }, ...children);
  if (!surface.silent) node.addEventListener("change", () => chosen(node, element, block, surface));
  return node;
}

async function chosen(node, element, block, surface) {
  const value = answerOf(node);
  if (value === null) return;
  if (element.confirm && !(await confirmed(element.confirm))) return;
  await pressed(surface, element, block, value);
}

function overflowControl(element, block, surface) {
  const options = element.options.map((option) => make("option", { value: option.value }, plain(option.text)));
  const node = make("select", { "aria-label": "More actions" }, make("option", { value: "" }, "More…"), ...options);
  node.addEventListener("change", async () => {
    const value = node.value;
    node.value = "";
    if (!value || (element.confirm && !(await confirmed(element.confirm)))) return;
    await pressed(surface, element, block, value);
  });
  return node;
}

function choiceControl(element, block, surface) {
  const kind = element.type === "checkboxes" ? "checkbox" : "radio";
  const initial = new Set([element.initial_option, ...(element.initial_options ?? [])].map((option) => option?.value));
  const name = `${block.block_id}-${element.action_id}`;
  const choice = (option) => {
    const box = make("input", { type: kind, name, value: option.value, checked: initial.has(option.value) });
    return make("label", {}, box, make("span", {}, option.text.type === "mrkdwn" ? mrkdwn(option.text.text) : option.text.text));
  };
  const properties = { class: "choices", role: kind === "radio" ? "radiogroup" : "group", "aria-label": surface.label };
  return answering("fieldset", properties, element, block, surface, ...element.options.map(choice));
}

const ENTRY = { number_input: "number", datepicker: "date", timepicker: "time", email_text_input: "email", url_text_input: "url" };

function entryControl(element, block, surface) {
  const value = element.initial_value ?? element.initial_date ?? element.initial_time ?? "";
  const placeholder = plain(element.placeholder) || null;
  const lengths = { minlength: element.min_length, maxlength: element.max_length };
  const shared = { placeholder, ...lengths, autofocus: element.focus_on_load, "aria-label": surface.inputId ? null : placeholder };
  if (element.multiline) return answering("textarea", shared, element, block, surface, value);
  const step = element.type === "number_input" && element.is_decimal_allowed ? "any" : null;
  return answering("input", { ...shared, type: ENTRY[element.type] ?? "text", step, value }, element, block, surface);
}

function answerOf(node) {
  if (node.tagName === "FIELDSET") {
    const checked = [...node.querySelectorAll("input:checked")].map((box) => box.value);
    return node.dataset.kind === "checkboxes" ? checked : checked[0] ?? null;
  }
  if (node.multiple) return [...node.selectedOptions].map((option) => option.value);
  return node.value === "" ? null : node.value;
}

function answersIn(root) {
  const typed = {};
  for (const node of root.querySelectorAll("[data-action]")) {
    (typed[node.dataset.block] ??= {})[node.dataset.action] = answerOf(node);
  }
  return typed;
}

function pressed(surface, element, block, selected) {
  const what = { action_id: element.action_id, block_id: block.block_id, selected, typed: answersIn(surface.root()) };
  return send("press", surface.kind === "view" ? { ...what, view_id: surface.id } : { ...what, ts: surface.id });
}

// --- dialogs ---

function confirmed(confirm) {
  const dialog = byId("confirm");
  return new Promise((resolve) => {
    const settle = (answer) => { dialog.close(); resolve(answer); };
    dialog.oncancel = () => resolve(false);
    dialog.replaceChildren(make("form", { method: "dialog" },
      make("h2", { class: "modal-title", id: "confirm-title" }, plain(confirm.title)),
      make("div", { class: "modal-body" }, textNode(confirm.text)),
      make("div", { class: "modal-foot" },
        make("button", { type: "button", class: "button", autofocus: true, onclick: () => settle(false) }, plain(confirm.deny)),
        make("button", { type: "button", class: confirm.style ?? "primary", onclick: () => settle(true) }, plain(confirm.confirm)))));
    dialog.showModal();
  });
}

let shownView = "";

function drawModal() {
  const dialog = byId("modal");
  const view = ui.state.views.at(-1);
  const mark = view ? JSON.stringify([view.id, view.hash, view.errors]) : "";
  if (mark === shownView) return;
  const typed = view && shownView && JSON.parse(shownView)[0] === view.id ? answersIn(dialog) : {};
  shownView = mark;
  if (!view) {
    if (dialog.open) dialog.close();
    return;
  }
  dialog.replaceChildren(modalForm(view, dialog));
  restore(dialog, typed);
  if (!dialog.open) dialog.showModal();
  dialog.querySelector("[aria-invalid], [data-action]")?.focus();
}

function modalForm(view, dialog) {
  const { title, blocks, submit, close } = view.payload;
  const surface = { kind: "view", id: view.id, root: () => dialog, errors: view.errors };
  const submitting = async (event) => {
    event.preventDefault();
    const button = event.submitter;
    if (button) button.disabled = true;
    await send("submit", { view_id: view.id, typed: answersIn(dialog) });
    if (button) button.disabled = false;
  };
  const foot = make("div", { class: "modal-foot" },
    make("button", { type: "button", class: "button", onclick: () => send("close", { view_id: view.id }) }, plain(close) || (submit ? "Cancel" : "Close")),
    submit ? make("button", { type: "submit", class: "primary" }, plain(submit)) : null);
  return make("form", { onsubmit: submitting, novalidate: true },
    make("h2", { class: "modal-title", id: "modal-title" }, plain(title)),
    make("div", { class: "modal-body" }, drawBlocks(blocks, surface)),
    foot);
}

function restore(root, typed) {
  for (const node of root.querySelectorAll("[data-action]")) {
    const value = typed[node.dataset.block]?.[node.dataset.action];
    if (value === undefined || value === null) continue;
    if (node.tagName === "FIELDSET") node.querySelectorAll("input").forEach((box) => { box.checked = [value].flat().includes(box.value); });
    else if (node.multiple) [...node.options].forEach((option) => { option.selected = value.includes(option.value); });
    else node.value = value;
  }
}

byId("modal").addEventListener("cancel", (event) => {
  event.preventDefault();
  const view = ui.state.views.at(-1);
  if (view) send("close", { view_id: view.id });
});

// --- messages ---

const initials = (name) => name.split(/\s+/).map((word) => word[0]).join("").slice(0, 2).toUpperCase();

function drawMessage(message, { replies = 0, inThread = false } = {}) {
  const author = ui.state.users[message.user] ?? { name: message.user };
  const sent = sentAt(message.ts);
  const node = make("article", { class: message.only_me ? "message whisper" : "message", "aria-label": `${author.name}, ${clockTime.format(sent)}` });
  const body = message.blocks.length
    ? drawBlocks(message.blocks, { kind: "message", id: message.ts, root: () => node })
    : make("div", { class: "text" }, mrkdwn(message.text));
  node.append(
    make("div", { class: author.is_bot ? "avatar bot" : "avatar", "aria-hidden": "true" }, initials(author.name)),
    make("div", {}, byline(message, author, sent), body, ...(message.files ?? []).map(drawFile),
      replies && !inThread ? make("div", { class: "replies-link" }, make("button", { type: "button", class: "link-button", onclick: () => openThread(message.ts) }, replies === 1 ? "1 reply" : `${replies} replies`)) : null,
      messageMenu(message, author)));
  return node;
}

function drawFile(file) {
  const link = make("a", { href: file.url_private, target: "_blank", rel: "noopener noreferrer" }, file.title || file.name);
  if (!file.mimetype.startsWith("image/")) return make("div", { class: "file" }, link);
  return make("figure", { class: "block-image file" }, make("img", { src: file.url_private, alt: file.alt_txt, loading: "lazy" }), make("figcaption", {}, link));
}

function byline(message, author, sent) {
  return make("div", { class: "byline" },
    make("span", { class: "author" }, author.name),
    author.is_bot ? make("span", { class: "badge" }, "App") : null,
    make("time", { class: "time", datetime: sent.toISOString(), title: fullTime.format(sent) }, clockTime.format(sent)),
    message.only_me ? make("span", { class: "private" }, "Only visible to you") : null,
    message.edited ? make("span", { class: "edited" }, "(edited)") : null);
}

function messageMenu(message, author) {
  const offeredHere = ui.state.shortcuts.filter((one) => one.kind === "message");
  if (message.only_me || author.is_bot || !offeredHere.length) return null;
  const menu = make("details", { class: "message-menu" }, make("summary", { "aria-label": "More actions", title: "More actions" }, "⋯"));
  const run = (one) => { menu.open = false; send("shortcut", { callback_id: one.callback_id, ts: message.ts }); };
  menu.append(make("div", { class: "message-menu-items" }, ...offeredHere.map((one) =>
    make("button", { type: "button", class: "menu-item", onclick: () => run(one) }, one.name))));
  return menu;
}

// A press anywhere else closes it; Escape does, too (below).
const closeMenus = (except) => document.querySelectorAll(".message-menu[open]").forEach((menu) => { if (menu !== except) menu.open = false; });
document.addEventListener("click", (event) => closeMenus(event.target.closest(".message-menu")));

function dayLine(ts) {
  return make("div", { class: "day", role: "separator" }, longDay.format(sentAt(ts)));
}

// Only what changed is drawn anew, so that focus, selections and half-made choices survive.
function drawList(box, rows, empty) {
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
  const nodes = rows.map(({ key, data, draw }) => {
    const name = `${box.id}/${ui.me}/${key}`;
    const mark = JSON.stringify(data);
    const known = ui.drawn.get(name);
    if (known?.mark === mark) return known.node;
    const node = draw();
    if (known) node.classList.add("changed");
    ui.drawn.set(name, { mark, node });
    return node;
  });
  const wanted = nodes.length ? nodes : [make("p", { class: "empty" }, empty)];
  const same = wanted.length === box.children.length && wanted.every((node, at) => box.children[at] === node);
  if (!same) arrange(box, wanted);
  if (atEnd && !same) showNewest(box);
}

// To the end, but never past the first line of the newest message.
function showNewest(box) {
  const newest = box.lastElementChild;
  box.scrollTop = newest ? Math.min(newest.offsetTop - 8, box.scrollHeight) : 0;
}

// Nodes that stay are not moved: moving would take the focus away.
function arrange(box, wanted) {
  const keep = new Set(wanted);
  [...box.children].forEach((child) => { if (!keep.has(child)) child.remove(); });
  wanted.forEach((node, at) => {
    if (box.children[at] !== node) box.insertBefore(node, box.children[at] ?? null);
  });
}

function rowsOf(messages, options = () => ({})) {
  const rows = [];
  let day = "";
  for (const message of messages) {
    const own = longDay.format(sentAt(message.ts));
    if (own !== day) rows.push({ key: `day ${own}`, data: own, draw: () => dayLine(message.ts) });
    day = own;
    const extra = options(message);
    rows.push({ key: message.ts, data: [message, extra], draw: () => drawMessage(message, extra) });
  }
  return rows;
}

function drawChannel() {
  const here = ui.state.messages.filter((message) => message.channel === ui.place);
  const replies = (message) => here.filter((one) => one.thread_ts === message.ts && !one.only_me).length;
  const top = here.filter((message) => !message.thread_ts);
  const empty = ui.state.suggestions.length
    ? "Nothing here yet. Pick a question to try, or type one below."
    : `Nothing here yet. Type ${ui.state.command} help below.`;
  drawList(byId("messages"), rowsOf(top, (message) => ({ replies: replies(message) })), empty);
}

function drawThread() {
  const open = ui.thread !== null;
  byId("thread").hidden = !open;
  byId("app").classList.toggle("with-thread", open);
  if (!open) return;
  const inIt = ui.state.messages.filter((message) => message.ts === ui.thread || message.thread_ts === ui.thread);
  drawList(byId("replies"), rowsOf(inIt, () => ({ inThread: true })), "This thread is gone.");
}

function drawHome() {
  const atHome = ui.place === "home";
  byId("home").hidden = !atHome;
  byId("messages").hidden = atHome;
  byId("composer").hidden = atHome;
  if (!atHome) return;
  const home = ui.state.home;
  const mark = JSON.stringify(home);
  if (byId("home").dataset.mark === mark) return;
  byId("home").dataset.mark = mark;
  const root = () => byId("home");
  const content = home
    ? drawBlocks(home.payload.blocks, { kind: "view", id: home.id, root })
    : make("p", { class: "empty" }, "The app shows nothing here yet.");
  byId("home").replaceChildren(content);
}

// --- frame ---

function drawSidebar() {
  const places = ui.state.channels.map((channel) => placeButton(channel.id, channel.is_direct ? "Direct message" : `# ${channel.name}`));
  const botName = ui.state.users[ui.state.bot].name;
  once("channels", [ui.place, ui.state.channels], () => places);
  once("apps", [ui.place, botName], () => [placeButton("home", botName)]);
  byId("try").hidden = !ui.state.suggestions.length;
  once("suggestions", ui.state.suggestions, () => ui.state.suggestions.map(suggestion));
  const people = Object.entries(ui.state.users).filter(([, user]) => !user.is_bot);
  once("me", [ui.me, people], () => people.map(([id, user]) =>
    make("option", { value: id, selected: id === ui.me }, user.is_guest ? `${user.name} (guest)` : user.name)));
  // the Home tab has a button of its own for it
  const shortcuts = ui.place === "home" ? [] : ui.state.shortcuts.filter((one) => one.kind === "global");
  once("shortcuts", shortcuts, () => shortcuts.map((one) =>
    make("button", { type: "button", class: "button", onclick: () => send("shortcut", { callback_id: one.callback_id }) }, one.name)));
}

function once(id, data, build) {
  const mark = JSON.stringify(data);
  if (byId(id).dataset.mark === mark) return;
  const focused = byId(id).contains(document.activeElement) ? document.activeElement.dataset.place : null;
  byId(id).dataset.mark = mark;
  byId(id).replaceChildren(...build());
  if (focused) byId(id).querySelector(`[data-place="${CSS.escape(focused)}"]`)?.focus();
}

function placeButton(id, label) {
  const current = ui.place === id ? "page" : null;
  return make("li", {}, make("button", { type: "button", "data-place": id, "aria-current": current, onclick: () => goTo(id) }, label));
}

function suggestion({ text, hint }) {
  return make("li", {}, make("button", { type: "button", onclick: () => { showSidebar(false); typed(text); } },
    make("span", { class: "hint" }, hint), make("span", { class: "label" }, text)));
}

function draw() {
  if (!ui.state) return;
  if (ui.place !== "home" && !ui.state.channels.some((channel) => channel.id === ui.place)) ui.place = ui.state.channels[0]?.id ?? "home";
  const name = ui.place === "home" ? ui.state.users[ui.state.bot].name : `# ${channelName(ui.place)}`;
  byId("place-title").textContent = name;
  document.title = `${name} – Demo store`;
  byId("composer-text").placeholder = `${ui.state.command} package LABEL`;
  byId("reply-text").placeholder = `Reply, or ask @${ui.state.users[ui.state.bot].handle}`;
  openAwaited();
  drawSidebar();
  drawChannel();
  drawHome();
  drawThread();
  drawModal();
}

// --- moving about ---

function goTo(id) {
  ui.place = id;
  ui.thread = null;
  showSidebar(false);
  draw();
  showNewest(byId("messages"));
  if (id === "home") send("home", {});
}

function openThread(ts) {
  ui.thread = ts;
  draw();
  byId("replies").scrollTop = 0;
  byId("close-thread").focus({ preventScroll: true });
}

// On a wide window the thread of one's own question opens by itself; on a phone it would hide the channel.
function openAwaited() {
  if (ui.awaiting === null || matchMedia("(max-width: 1000px)").matches) return;
  const fresh = ui.state.messages.find((message) =>
    message.channel === ui.place && message.ts > ui.awaiting && message.user === ui.state.bot && !message.thread_ts);
  if (!fresh) return;
  ui.awaiting = null;
  if (!fresh.only_me) ui.thread = fresh.ts;
}

function showSidebar(open) {
  byId("sidebar").classList.toggle("open", open);
  byId("open-sidebar").setAttribute("aria-expanded", String(open));
  if (open) byId("close-sidebar").focus();
}

async function typed(text, threadTs = null) {
  if (!text.trim()) return;
  if (ui.place === "home") goTo(ui.state.channels[0].id);
  if (text.startsWith("/") && !threadTs) ui.awaiting = ui.state.messages.at(-1)?.ts ?? "";
  await send("command", { text, thread_ts: threadTs });
  await refresh();
}

function composing(form, input, threadTs) {
  byId(form).addEventListener("submit", (event) => {
    event.preventDefault();
    const text = byId(input).value;
    byId(input).value = "";
    typed(text, threadTs());
  });
}

composing("composer", "composer-text", () => null);
composing("reply", "reply-text", () => ui.thread);
byId("open-sidebar").addEventListener("click", () => showSidebar(true));
byId("close-sidebar").addEventListener("click", () => { showSidebar(false); byId("open-sidebar").focus(); });
byId("close-thread").addEventListener("click", () => { ui.thread = null; draw(); byId("composer-text").focus({ preventScroll: true }); });
byId("me").addEventListener("change", (event) => {
  ui.me = event.target.value;
  localStorage.setItem("me", ui.me);
  ui.thread = null;
  refresh();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  if (document.querySelector(".message-menu[open]")) {
    closeMenus(null);
    return;
  }
  if (byId("sidebar").classList.contains("open")) showSidebar(false);
  else if (ui.thread !== null) byId("close-thread").click();
});

// --- live updates ---

let refreshing = null;
let again = false;

async function refresh() {
  if (refreshing) {
    again = true;
    return refreshing;
  }
  refreshing = loaded();
  try {
    await refreshing;
  } finally {
    refreshing = null;
  }
  if (again) {
    again = false;
    return refresh();
  }
  return undefined;
}

async function loaded() {
  const response = await fetch(`/page/state?user=${encodeURIComponent(ui.me)}`).catch(() => null);
  byId("lost").hidden = response !== null;
  if (response === null) return;
  if (!response.ok) {
    again = ui.me !== "U0DANA"; // the remembered person is not of this workspace
    ui.me = "U0DANA";
    return;
  }
  ui.state = await response.json();
  draw();
}

// A permalink is /archives/CHANNEL/p1772508600000100?thread_ts=1772508600.000000
function followPermalink() {
  const found = location.pathname.match(/^\/archives\/(\w+)\/p(\d{10})(\d{6})$/);
  if (!found) return;
  ui.place = found[1];
  ui.thread = new URLSearchParams(location.search).get("thread_ts") ?? `${found[2]}.${found[3]}`;
}

followPermalink();
const live = new EventSource("/events");
live.onmessage = refresh;
live.onopen = refresh;
setInterval(() => { if (live.readyState !== EventSource.OPEN) refresh(); }, 2000);
