// Shows the OpenAPI document. Everything is made with createElement and textContent: nothing in it is taken as HTML.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];

function el(tag, attrs, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attrs || {})) node.setAttribute(name, value);
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

let api;

function deref(node) {
  for (let depth = 0; node && node.$ref && depth < 8; depth++) {
    node = node.$ref.replace(/^#\//, "").split("/").reduce((o, key) => (o || {})[key], api);
  }
  return node || {};
}

function refName(schema) {
  return schema && schema.$ref ? schema.$ref.split("/").pop() : "";
}

// typeOf says in words what a schema takes, with a link to a named one.
function typeOf(schema) {
  if (!schema) return el("span");
  const name = refName(schema);
  if (name) return el("a", { href: "#schema-" + name }, name);
  if (schema.oneOf) return el("span", {}, ...schema.oneOf.flatMap((s, i) => (i ? [" or ", typeOf(s)] : [typeOf(s)])));
  const types = [].concat(schema.type || []);
  if (types.includes("array")) return el("span", {}, "list of ", typeOf(schema.items));
  const words = [types.join(" or ")];
  if (schema.format) words.push("(" + schema.format + ")");
  if (schema.enum) words.push(schema.enum.join(" · "));
  const range = [["minLength", "at least # characters"], ["maxLength", "at most # characters"], ["minimum", "from #"], ["maximum", "to #"], ["maxItems", "at most # entries"], ["default", "default #"]];
  for (const [key, text] of range) if (key in schema) words.push(text.replace("#", schema[key]));
  return el("span", {}, words.join(" "));
}

function rows(head, list) {
  const table = el("table", {}, el("tr", {}, ...head.map((h) => el("th", {}, h))));
  for (const cells of list) table.append(el("tr", {}, ...cells.map((c) => el("td", {}, c))));
  return table;
}

function properties(schema) {
  schema = deref(schema);
  const required = new Set(schema.required || []);
  const list = Object.entries(schema.properties || {}).map(([name, prop]) => [
    el("code", {}, name + (required.has(name) ? " *" : "")), typeOf(prop), el("span", { class: "dim" }, deref(prop).description || prop.description || "")]);
  return list.length ? rows(["field", "type", ""], list) : null;
}

function bodyOf(content) {
  const media = Object.values(content || {})[0];
  return media && media.schema;
}

function operation(path, method, op) {
  const inner = el("div");
  if (op.description) inner.append(el("p", {}, op.description));
  const parameters = (op.parameters || []).map(deref);
  if (parameters.length) {
    inner.append(rows(["parameter", "type", ""], parameters.map((p) => [
      el("code", {}, p.name + (p.required ? " *" : "")), typeOf(p.schema), el("span", { class: "dim" }, p.in + ". " + (p.description || ""))])));
  }
  const body = op.requestBody && bodyOf(deref(op.requestBody).content);
  if (body) {
    inner.append(el("p", {}, "Body: ", typeOf(body)));
    if (!body.$ref) inner.append(properties(body) || "");
  }
  inner.append(rows(["status", "answer", ""], Object.entries(op.responses || {}).map(([status, r]) => {
    r = deref(r);
    return [el("code", {}, status), typeOf(bodyOf(r.content)), el("span", { class: "dim" }, r.description || "")];
  })));
  const open = op.security && op.security.length === 0;
  return el("details", { "data-text": (method + " " + path + " " + (op.summary || "")).toLowerCase() },
    el("summary", {}, el("span", { class: "method " + method }, method.toUpperCase()), el("code", {}, path),
      el("span", { class: "dim" }, (op.summary || "") + (open ? " (no token needed)" : ""))), inner);
}

function show(doc) {
  api = doc;
  const main = document.getElementById("docs");
  main.replaceChildren(el("h1", {}, doc.info.title + " " + doc.info.version));
  for (const paragraph of (doc.info.description || "").trim().split(/\n\s*\n/)) main.append(el("p", {}, paragraph));
  const filter = el("input", { type: "search", placeholder: "Filter by path, method or words", "aria-label": "Filter" });
  main.append(filter);
  for (const tag of doc.tags || []) {
    const section = el("section", {}, el("h2", {}, tag.name), el("p", { class: "dim" }, tag.description || ""));
    for (const [path, item] of Object.entries(doc.paths)) {
      for (const method of METHODS) {
        if (item[method] && (item[method].tags || [])[0] === tag.name) section.append(operation(path, method, item[method]));
      }
    }
    main.append(section);
  }
  const schemas = el("section", {}, el("h2", {}, "Schemas"));
  for (const [name, schema] of Object.entries(doc.components.schemas)) {
    schemas.append(el("details", { id: "schema-" + name, "data-text": name.toLowerCase() },
      el("summary", {}, el("code", {}, name), el("span", { class: "dim" }, schema.description || "")), el("div", {}, properties(schema) || typeOf(schema))));
  }
  main.append(schemas);
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/);
    for (const d of main.querySelectorAll("details")) d.hidden = !words.every((w) => d.dataset.text.includes(w));
  });
  const reveal = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target) { target.open = true; target.scrollIntoView(); }
  };
  window.addEventListener("hashchange", reveal);
  reveal();
}

fetch("/api/v1/openapi.json").then((r) => {
  if (!r.ok) throw new Error("status " + r.status);
  return r.json();
}).then(show).catch((err) => {
  document.getElementById("docs").replaceChildren(el("p", {}, "The API document could not be read: " + err.message));
});
