// node run.mjs PAGE.html: runs each line of standard input as JavaScript beside the page's own
// mathematics -> its value as JSON, a line each. A line that begins with {"swap": [...]} first puts
// other text in the mathematics' place, and gives how often it was found.
import fs from "node:fs";
import readline from "node:readline";

const html = fs.readFileSync(process.argv[2], "utf8");
const script = (id) => html.split(`<script id="${id}"`)[1].split("</script>")[0].replace(/^[^>]*>/, "");
const info = JSON.parse(script("info"));
const names = "unpack, Store, Run, verify, nudge, places, sgd, random, CELLS, PASSES, RULES, winner, softmax";

async function load(maths) {
  const api = new Function(`${maths}\nreturn {${names}};`)();
  const store = new api.Store(info.tensors, await api.unpack(script("data")));
  return {...api, store, info, runs: info.runs.map((r) => new api.Run(r, store, info.classes))};
}

let page = await load(script("maths"));
for await (const line of readline.createInterface({input: process.stdin})) {
  const swap = line.startsWith('{"swap"') ? JSON.parse(line).swap : null;
  let value;
  if (swap) {
    const parts = script("maths").split(swap[0]);
    page = await load(parts.join(swap[1]));
    value = parts.length - 1;
  } else value = new Function("page", `with (page) { return ${line}; }`)(page);
  console.log(JSON.stringify(value ?? null, (_, v) => (ArrayBuffer.isView(v) ? [...v] : v)));
}
