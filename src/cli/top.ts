/** `hobble top`: the targets, live. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { HobbleClient } from "../control/client.js";
import type { TargetReport } from "../daemon/supervisor.js";
import { parseDuration } from "../duration.js";
import { HobbleError } from "../errors.js";
import { keysOf, press } from "../top/keys.js";
import { follow, type Headline, type Line, type Row, rowsOf, screen, type ViewSettings } from "../top/view.js";
import { addClientOptions, type ClientFlags, withClient } from "./daemon-client.js";
import { formatTable } from "./output.js";
import { outputClosed, print, printJson } from "./streams.js";
import { targetCells, targetHeading } from "./target-text.js";

interface TopFlags extends ClientFlags {
  every: string;
  times?: string;
}

const examples = `
Keys: arrows, PgUp, PgDn, Home and End move; p c u n s e r sort; / filters; t tree; h help; q quits. NO_COLOR=1 does without colours.
Without a terminal the targets are printed as plain lines, every time anew.
`;

export function topCommand(program: Command): void {
  const command = program
    .command("top")
    .summary("watch what the daemon hobbles")
    .description("Shows the targets of the daemon live, in a table that fills the terminal.")
    .option("--every <duration>", "how often to look", "1s")
    .option("--times <count>", "without a terminal: end after so many lists");
  addClientOptions(command, examples).action(top);
}

async function top(flags: TopFlags): Promise<void> {
  const everyMs = parseDuration(flags.every) / 1e6;
  if (everyMs < 100) throw new HobbleError("EINVAL", `--every must be at least 100ms, not ${flags.every}`);
  const times = flags.times === undefined ? Number.POSITIVE_INFINITY : Number(flags.times);
  if (!(times >= 1)) throw new HobbleError("EINVAL", `--times must be a whole number from 1, not ${flags.times}`);
  const live = process.stdin.isTTY === true && process.stdout.isTTY === true && !flags.json && process.env.TERM !== "dumb";
  await withClient(flags, (client) => (live ? new Screen(client, everyMs).run() : lines(client, everyMs, times, flags.json === true)));
}

async function lines(client: HobbleClient, everyMs: number, times: number, json: boolean): Promise<void> {
  let ended = false;
  void outputClosed().then(() => (ended = true));
  for (let time = 0; time < times && !ended; time++) {
    if (time > 0) await sleep(everyMs);
    const targets = await client.targets();
    const now = Date.now();
    if (json) printJson({ at: now, targets });
    else print(`${formatTable([[...targetHeading], ...targets.map((target) => targetCells(target, now))]).join("\n")}\n\n`);
  }
}

const enter = "\u001b[?1049h\u001b[?25l";
const leave = "\u001b[?25h\u001b[?1049l";
const styles: Readonly<Record<Line["style"], string>> = {
  plain: "",
  title: "\u001b[1m",
  heading: "\u001b[7m",
  chosen: "\u001b[46;30m",
  foot: "\u001b[7m",
};
/** Without colours the chosen row must be seen all the same. */
const plainStyles: typeof styles = { plain: "", title: "", heading: "\u001b[7m", chosen: "\u001b[7m", foot: "" };

class Screen {
  readonly #client: HobbleClient;
  readonly #everyMs: number;
  readonly #styles = process.env.NO_COLOR ? plainStyles : styles;
  readonly #settings: ViewSettings = {
    sort: "cpu",
    reverse: false,
    filter: "",
    tree: false,
    chosen: 0,
    scroll: 0,
    typing: undefined,
    help: false,
  };
  #targets: readonly TargetReport[] = [];
  #rows: readonly Row[] = [];
  #headline: Headline = { version: "", off: false, targets: 0, engine: null, problem: "asking …" };
  #shown: string[] = [];

  constructor(client: HobbleClient, everyMs: number) {
    this.#client = client;
    this.#everyMs = everyMs;
  }

  async run(): Promise<void> {
    // What makes it useless is told before the screen is taken over.
    await this.#read();
    const { stdin, stdout } = process;
    const quit = new AbortController();
    const end = () => quit.abort();
    stdin.setRawMode(true);
    stdin.on("data", (input) => {
      const goesOn = keysOf(input.toString("utf8")).every((key) => press(key, this.#settings, this.#rows.length, this.#height));
      if (!goesOn) end();
      this.#arrange();
    });
    stdout.on("resize", () => {
      this.#shown = [];
      this.#draw();
    });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, end);
    void outputClosed().then(end);
    print(enter);
    try {
      this.#arrange();
      while (!quit.signal.aborted) {
        await sleep(this.#everyMs, undefined, { signal: quit.signal }).catch(() => {});
        if (quit.signal.aborted) break;
        await this.#read().catch((error: Error) => {
          this.#headline = { ...this.#headline, problem: error.message };
        });
        this.#arrange();
      }
    } finally {
      stdin.setRawMode(false);
      stdin.pause();
      print(leave);
    }
  }

  get #height(): number {
    return process.stdout.rows || 24;
  }

  async #read(): Promise<void> {
    const status = await this.#client.status();
    this.#targets = await this.#client.targets();
    const stats = status.admin ? await this.#client.stats() : undefined;
    const engine = stats && {
      cpuShare: stats.engine.cpuShare,
      latenessP50Ns: stats.engine.lateness.p50Ns,
      latenessP99Ns: stats.engine.lateness.p99Ns,
      signalsPerSecond: stats.engine.signalsPerSecond,
    };
    this.#headline = {
      version: status.version,
      off: status.off !== null,
      targets: this.#targets.length,
      engine: engine ?? null,
      problem: undefined,
    };
  }

  #arrange(): void {
    this.#rows = rowsOf(this.#targets, this.#settings);
    follow(this.#settings, this.#rows.length, this.#height);
    this.#draw();
  }

  /** Only lines that have changed are written. */
  #draw(): void {
    const width = process.stdout.columns || 80;
    const drawn = screen(this.#rows, this.#settings, this.#headline, width, this.#height, Date.now());
    let output = "";
    for (const [at, { text, style }] of drawn.entries()) {
      const code = this.#styles[style];
      const line = code === "" ? text : `${code}${text}\u001b[0m`;
      if (this.#shown[at] === line) continue;
      this.#shown[at] = line;
      output += `\u001b[${at + 1};1H${line}${text.length < width ? "\u001b[K" : ""}`;
    }
    if (output !== "") print(output);
  }
}
