// Turns the JSON of a rule's condition into rows of selects, and back. The text stays the truth that is sent.
const data = JSON.parse(document.getElementById("condition-editor").textContent);
const facts = new Map(data.topics.flatMap((topic) => topic.facts).map((fact) => [fact.key, fact]));
const groups = Object.keys(data.groups);
const words = data.words;
const NUMERIC = new Set(["number", "money", "percent"]);

const make = (tag, attributes = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), attributes);
  element.append(...children);
  return element;
};
const option = (value, text, chosen) => make("option", { value, textContent: text, selected: value === chosen });
const groupOf = (node) => groups.find((key) => key in node);

class Editor {
  constructor(root) {
    this.root = root;
    this.text = root.querySelector("textarea");
    this.rows = root.querySelector("[data-rows-of-condition]");
    this.sentence = root.querySelector("[data-sentence]");
    this.toggle = root.querySelector("[data-switch]");
    this.toggle.hidden = false;
    this.toggle.addEventListener("click", () => this.show(this.rows.hidden));
    this.text.addEventListener("input", () => this.describeSoon());
    if (!this.text.value.trim() || this.text.value.trim() === "null") this.text.value = JSON.stringify({ all: [this.freshLeaf()] });
    this.show(true);
    this.describe();
  }

  show(asRows) {
    let tree = null;
    if (asRows) {
      tree = this.parse();
      if (!tree) {
        this.tell(words.broken, true);
        asRows = false;
      }
    }
    this.rows.hidden = !asRows;
    this.text.hidden = asRows;
    this.toggle.textContent = asRows ? words.as_text : words.as_rows;
    if (asRows) {
      this.tree = groupOf(tree) ? tree : { all: [tree] };
      this.draw();
    }
  }

  parse() {
    try {
      const tree = JSON.parse(this.text.value);
      return this.fits(tree) ? tree : null;
    } catch {
      return null;
    }
  }

  fits(node) {
    if (!node || typeof node !== "object") return false;
    const group = groupOf(node);
    if (group) return Array.isArray(node[group]) && node[group].every((part) => this.fits(part));
    const fact = facts.get(node.fact);
    return Boolean(fact && data.operators[fact.type].some((operator) => operator.key === node.op));
  }

  freshLeaf() {
    const fact = facts.values().next().value;
    return this.leafFor(fact);
  }

  leafFor(fact, op) {
    const operator = data.operators[fact.type].find((one) => one.key === op) || data.operators[fact.type][0];
    const leaf = { fact: fact.key, op: operator.key };
    const single = NUMERIC.has(fact.type) ? 0 : fact.choices.length ? fact.choices[0][0] : "";
    if (operator.takes === "one") leaf.value = single;
    if (operator.takes === "many") leaf.value = single === "" ? [] : [single];
    if (operator.takes === "two") leaf.value = [0, 0];
    return leaf;
  }

  save() {
    this.text.value = JSON.stringify(this.tree, null, 2);
    this.describeSoon();
  }

  changed() {
    this.save();
    this.draw();
  }

  draw() {
    this.rows.replaceChildren(this.drawGroup(this.tree, null));
  }

  drawGroup(node, remove) {
    const key = groupOf(node);
    const parts = node[key];
    const choice = make("select", { className: "op" }, ...groups.map((one) => option(one, data.groups[one], key)));
    choice.addEventListener("change", () => {
      delete node[key];
      node[choice.value] = parts;
      this.changed();
    });
    const bar = make("div", { className: "bar" }, choice);
    if (remove) bar.append(this.removeButton(remove));
    const box = make("div", { className: `group group-${key}` }, bar);
    parts.forEach((part, place) => {
      const drop = parts.length > 1 || remove ? () => this.drop(parts, place, remove) : null;
      box.append(groupOf(part) ? this.drawGroup(part, drop) : this.drawLeaf(part, drop));
    });
    box.append(this.adders(parts));
    return box;
  }

  drop(parts, place, removeGroup) {
    parts.splice(place, 1);
    if (!parts.length && removeGroup) removeGroup();
    else this.changed();
  }

  adders(parts) {
    const condition = make("button", { type: "button", className: "quiet", textContent: `+ ${words.add_condition}` });
    condition.addEventListener("click", () => { parts.push(this.freshLeaf()); this.changed(); });
    const group = make("button", { type: "button", className: "quiet", textContent: `+ ${words.add_group}` });
    group.addEventListener("click", () => { parts.push({ any: [this.freshLeaf()] }); this.changed(); });
    return make("div", { className: "bar" }, condition, group);
  }

  removeButton(remove) {
    const button = make("button", { type: "button", className: "remove", textContent: "✕", title: words.remove });
    button.setAttribute("aria-label", words.remove);
    button.addEventListener("click", remove);
    return button;
  }

  drawLeaf(leaf, remove) {
    const fact = facts.get(leaf.fact);
    const pick = make("select", { className: "fact" });
    for (const topic of data.topics) {
      pick.append(make("optgroup", { label: topic.label }, ...topic.facts.map((one) => option(one.key, one.label, fact.key))));
    }
    pick.addEventListener("change", () => this.replace(leaf, this.leafFor(facts.get(pick.value))));
    const operators = data.operators[fact.type];
    const compare = make("select", { className: "op" }, ...operators.map((one) => option(one.key, one.label, leaf.op)));
    compare.addEventListener("change", () => this.reoperate(leaf, fact, compare.value));
    const row = make("div", { className: "leaf" }, pick, compare, ...this.inputs(leaf, fact));
    if (remove) row.append(this.removeButton(remove));
    row.append(make("span", { className: "help", textContent: fact.help }));
    return row;
  }

  replace(leaf, fresh) {
    for (const key of Object.keys(leaf)) delete leaf[key];
    Object.assign(leaf, fresh);
    this.changed();
  }

  reoperate(leaf, fact, op) {
    const fresh = this.leafFor(fact, op);
    const had = leaf.value;
    if (Array.isArray(had) === Array.isArray(fresh.value) && had !== undefined && fresh.value !== undefined) fresh.value = had;
    else if (Array.isArray(fresh.value) && had !== undefined) fresh.value = fresh.value.length === 2 ? [had, had] : [had];
    else if (Array.isArray(had) && fresh.value !== undefined && had.length) fresh.value = had[0];
    this.replace(leaf, fresh);
  }

  inputs(leaf, fact) {
    const { takes } = data.operators[fact.type].find((one) => one.key === leaf.op);
    if (takes === "none") return [];
    if (fact.choices.length) return takes === "many" ? [this.checks(leaf, fact)] : [this.choice(leaf, fact)];
    if (takes === "two") {
      return [0, 1].flatMap((place) => [
        ...(place ? [make("span", { className: "unit", textContent: words.and })] : []),
        this.number(fact, leaf.value[place], (value) => { leaf.value[place] = value; }),
      ]).concat(this.unit(fact));
    }
    if (NUMERIC.has(fact.type)) return [this.number(fact, leaf.value, (value) => { leaf.value = value; }), ...this.unit(fact)];
    const many = takes === "many";
    const input = make("input", { className: "value", type: "text", value: many ? leaf.value.join(", ") : leaf.value, placeholder: fact.example });
    if (many) input.title = words.comma;
    input.addEventListener("input", () => {
      leaf.value = many ? input.value.split(/[,，]/).map((part) => part.trim()).filter(Boolean) : input.value;
      this.save();
    });
    return [input];
  }

  unit(fact) {
    const text = fact.type === "money" ? words.yuan : fact.unit;
    return text ? [make("span", { className: "unit", textContent: text })] : [];
  }

  number(fact, value, keep) {
    const scale = fact.type === "money" ? 100 : 1;
    const input = make("input", { className: "value short", type: "number", step: fact.type === "number" ? "1" : "any", value: value / scale });
    input.addEventListener("input", () => {
      keep(scale === 1 ? Number(input.value) : Math.round(Number(input.value) * scale));
      this.save();
    });
    return input;
  }

  choice(leaf, fact) {
    const select = make("select", { className: "op" }, ...fact.choices.map(([key, label]) => option(key, label, leaf.value)));
    select.addEventListener("change", () => { leaf.value = select.value; this.save(); });
    return select;
  }

  checks(leaf, fact) {
    const box = make("span", { className: "choices" });
    for (const [key, label] of fact.choices) {
      const input = make("input", { type: "checkbox", checked: leaf.value.includes(key) });
      input.addEventListener("change", () => {
        leaf.value = input.checked ? [...leaf.value, key] : leaf.value.filter((one) => one !== key);
        this.save();
      });
      box.append(make("label", {}, input, label));
    }
    return box;
  }

  tell(text, isWrong) {
    this.sentence.textContent = text;
    this.sentence.classList.toggle("wrong", isWrong);
  }

  describeSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.describe(), 250);
  }

  async describe() {
    const form = this.root.closest("form");
    const body = new FormData();
    body.set("condition", this.text.value);
    body.set("csrfmiddlewaretoken", form.querySelector("[name=csrfmiddlewaretoken]").value);
    const asked = (this.asked = (this.asked || 0) + 1);
    try {
      const answer = await (await fetch(this.root.dataset.describe, { method: "POST", body })).json();
      if (asked === this.asked) this.tell(answer.sentence || answer.error, Boolean(answer.error));
    } catch {
      // No connection: the text is checked again when it is saved.
    }
  }
}

document.querySelectorAll("[data-condition]").forEach((root) => new Editor(root));
