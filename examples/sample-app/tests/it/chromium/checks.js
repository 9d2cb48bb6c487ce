// What is wrong with the page as it is shown now, as sentences. The body of a function: it returns a list.
const wrong = [];
const shown = (element) => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
const name = (element) => element.outerHTML.replace(/\s+/g, " ").slice(0, 90);
const all = (selector) => [...document.querySelectorAll(selector)];

// Structure.
if (!document.documentElement.lang) wrong.push("the page names no language");
if (!document.title) wrong.push("the page has no title");
if (all("h1").length !== 1) wrong.push(`${all("h1").length} first headings`);
if (all("main").length !== 1) wrong.push(`${all("main").length} main landmarks`);
for (const nav of all("nav")) if (!nav.ariaLabel) wrong.push("a navigation without a name");
let level = 0;
for (const heading of all("h1, h2, h3, h4, h5, h6")) {
  const own = Number(heading.tagName[1]);
  if (own > level + 1) wrong.push(`a heading of level ${own} below one of ${level}: ${name(heading)}`);
  level = own;
}
const ids = all("[id]").map((element) => element.id);
for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) wrong.push(`two elements are called ${id}`);

// Names.
for (const field of all("input:not([type=hidden]), select, textarea")) {
  const label = field.ariaLabel || [...(field.labels ?? [])].map((label) => label.textContent.trim()).join("");
  if (!label) wrong.push(`no label: ${name(field)}`);
}
for (const control of all("button, a[href]")) {
  if (!(control.ariaLabel || control.textContent.trim())) wrong.push(`no name: ${name(control)}`);
}
for (const image of all("img")) if (!image.hasAttribute("alt")) wrong.push(`no name: ${name(image)}`);
for (const image of all("svg")) {
  const silent = image.closest("[aria-hidden=true], [role=img][aria-label]");
  if (!silent && !(image.ariaLabel || image.querySelector("title"))) wrong.push(`no name: ${name(image)}`);
}
for (const table of all("table")) if (!table.querySelector("th")) wrong.push("a table without headings");
for (const element of all("[aria-describedby], label[for]")) {
  const to = element.getAttribute("aria-describedby") ?? element.getAttribute("for");
  if (!document.getElementById(to)) wrong.push(`nothing is called ${to}: ${name(element)}`);
}

// Size (WCAG 2.2, 2.5.8). A link in a line of text is as high as the line.
for (const target of all("button, summary, select, input:not([type=hidden]), a.button, nav a")) {
  const { width, height } = target.getBoundingClientRect();
  const label = target.type === "checkbox" && target.closest("label");
  const high = label ? label.getBoundingClientRect().height : height;
  if (shown(target) && (width < (label ? 1 : 24) || high < 24)) wrong.push(`${Math.round(width)} by ${Math.round(high)} pixels: ${name(target)}`);
}

// Width.
const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
if (wide > 0) {
  const edge = document.documentElement.clientWidth;
  const held = (element) => { for (let up = element.parentElement; up; up = up.parentElement) if (getComputedStyle(up).overflowX !== "visible") return true; };
  const out = all("body *").filter((element) => shown(element) && element.getBoundingClientRect().right > edge + 1 && !held(element));
  wrong.push(`${wide} pixels too wide: ${out.slice(0, 3).map(name).join(" ; ")}`);
}

// Contrast (WCAG 2.2, 1.4.3): 4.5 to 1, or 3 to 1 for large text. Colours are read back from a canvas, whatever their notation.
const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
const colours = new Map();
const rgba = (colour) => {
  if (!colours.has(colour)) {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    colours.set(colour, [red, green, blue, alpha / 255]);
  }
  return colours.get(colour);
};
const over = ([r, g, b, a], [x, y, z]) => [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a), 1];
const ground = (element) => {
  if (!element) return rgba(getComputedStyle(document.documentElement).colorScheme.includes("dark") && matchMedia("(prefers-color-scheme: dark)").matches ? "#121212" : "#fff");
  const own = rgba(getComputedStyle(element).backgroundColor);
  return own[3] === 1 ? own : over(own, ground(element.parentElement));
};
const light = (colour) => {
  const [r, g, b] = colour.slice(0, 3).map((part) => { const s = part / 255; return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4; });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const faint = new Set();
for (const element of all("body *")) {
  const speaks = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
  if (!speaks || !shown(element) || element.matches(":disabled, option, title")) continue;
  const style = getComputedStyle(element);
  const back = ground(element);
  const [one, other] = [light(over(rgba(style.color), back)), light(back)].sort((a, b) => b - a);
  const ratio = (one + 0.05) / (other + 0.05);
  const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
  if (ratio < (large ? 3 : 4.5)) faint.add(`contrast ${ratio.toFixed(2)}: ${name(element)}`);
}
// The edge of a field tells where it is (1.4.11): 3 to 1.
for (const field of all("input:not([type=hidden], [type=checkbox]), select")) {
  if (!shown(field) || field.disabled) continue;
  const back = ground(field.parentElement);
  const [one, other] = [light(over(rgba(getComputedStyle(field).borderTopColor), back)), light(back)].sort((a, b) => b - a);
  if ((one + 0.05) / (other + 0.05) < 3) faint.add(`edge ${((one + 0.05) / (other + 0.05)).toFixed(2)}: ${name(field)}`);
}
wrong.push(...[...faint].slice(0, 5));
return wrong;
