// Edits extra specs as rows of a key and a value, and says sizes in larger units. What is sent is the field's JSON, as
// without this script.

const KNOWN = [
  "accel:device_profile", "aggregate_instance_extra_specs:", "hide_hypervisor_id", "hw:cpu_cores", "hw:cpu_policy",
  "hw:cpu_sockets", "hw:cpu_thread_policy", "hw:cpu_threads", "hw:mem_page_size", "hw:numa_nodes", "hw:pci_numa_affinity_policy",
  "hw:vif_multiqueue_enabled", "hw:watchdog_action", "hw_rng:allowed", "hw_rng:rate_bytes", "hw_rng:rate_period",
  "os:secure_boot", "pci_passthrough:alias", "quota:cpu_period", "quota:cpu_quota", "quota:cpu_shares",
  "quota:disk_read_bytes_sec", "quota:disk_read_iops_sec", "quota:disk_total_bytes_sec", "quota:disk_total_iops_sec",
  "quota:disk_write_bytes_sec", "quota:disk_write_iops_sec", "quota:vif_inbound_average", "quota:vif_outbound_average",
  "scs:cpu-type", "scs:disk0-type", "scs:name-v1", "scs:name-v2",
];
const UNITS = { MiB: ["MiB", "GiB", "TiB", "PiB"], GiB: ["GiB", "TiB", "PiB"] };

function element(name, values = {}, ...children) {
  const made = Object.assign(document.createElement(name), values);
  made.append(...children);
  return made;
}

function box(label, value) {
  const made = element("input", { type: "text", value });
  made.setAttribute("aria-label", label);
  return made;
}

function editSpecs(field) {
  let specs;
  try {
    specs = JSON.parse(field.value || "{}");
  } catch {
    return; // what was sent was no JSON: it is there to be mended
  }
  if (specs === null || Array.isArray(specs) || typeof specs !== "object") return;
  const known = element("datalist", { id: "known-specs" }, ...KNOWN.map((value) => element("option", { value })));
  const rows = element("tbody");
  const table = element(
    "table",
    { className: "specs" },
    element("thead", {}, element("tr", {}, ...["Key", "Value", ""].map((text) => element(text ? "th" : "td", { textContent: text })))),
    rows,
  );
  const add = element("button", { type: "button", className: "remedy", textContent: "Add an extra spec" });

  function write() {
    const pairs = [...rows.rows].map((row) => [...row.querySelectorAll("input")].map((input) => input.value.trim()));
    field.value = JSON.stringify(Object.fromEntries(pairs.filter(([key]) => key)));
  }

  function addRow(key, value) {
    const name = box("Key of an extra spec", key);
    name.setAttribute("list", known.id);
    const remove = element("button", { type: "button", className: "remedy", textContent: "Remove" });
    const row = element("tr", {}, ...[name, box("Its value", value), remove].map((each) => element("td", {}, each)));
    remove.addEventListener("click", () => {
      row.remove();
      write();
      add.focus();
    });
    rows.append(row);
    return name;
  }

  for (const [key, value] of Object.entries(specs)) addRow(key, String(value));
  table.addEventListener("input", write);
  add.addEventListener("click", () => addRow("", "").focus());
  field.after(element("div", { className: "spec-rows" }, known, table, add));
  field.hidden = true;
}

function readable(size, units) {
  let at = 0;
  while (size >= 1024 && at < units.length - 1) [size, at] = [size / 1024, at + 1];
  return at ? `${Math.round(size * 100) / 100} ${units[at]}` : "";
}

function sayUnits(input, units) {
  const said = element("output", { className: "quiet" });
  const say = () => (said.textContent = readable(Number(input.value), units));
  input.addEventListener("input", say);
  input.after(said);
  say();
}

const field = document.querySelector("textarea#id_extra_specs");
if (field) editSpecs(field);
for (const [name, unit] of Object.entries({ ram: "MiB", swap: "MiB", disk: "GiB", ephemeral: "GiB" })) {
  const input = document.querySelector(`input#id_${name}`);
  if (input) sayUnits(input, UNITS[unit]);
}
