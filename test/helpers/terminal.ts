/** An interactive shell on a pseudo-terminal. It and its jobs get a hang-up when the test ends. */
import { childrenOf, start, until } from "./processes.js";

const openPty = "import pty, sys; pty.spawn(sys.argv[1:])";
const shell = ["env", "PS1=$ ", "TERM=dumb", "bash", "--norc", "--noprofile", "--noediting", "-i"] as const;

export class Terminal {
  #output = "";
  #seen = 0;

  private constructor(
    private readonly keys: NodeJS.WritableStream,
    private readonly ptyPid: number,
  ) {}

  static async open(): Promise<Terminal> {
    const { child, pid } = await start(["python3", "-c", openPty, ...shell]);
    if (child.stdin === null) throw new Error("no standard input");
    const terminal = new Terminal(child.stdin, pid);
    child.stdout?.setEncoding("utf8").on("data", (text) => (terminal.#output += text));
    await terminal.shows(/\$ $/);
    return terminal;
  }

  /** The processes that the shell has started and that are not gone. */
  get jobs(): number[] {
    return childrenOf(this.ptyPid).flatMap(childrenOf);
  }

  type(keys: string): void {
    this.keys.write(keys);
  }

  /** Waits for something new, and skips what is before it. */
  async shows(pattern: RegExp, withinMs = 5000): Promise<RegExpExecArray> {
    let match: RegExpExecArray | null = null;
    const shown = () => {
      match = pattern.exec(this.#output.slice(this.#seen));
      return match !== null;
    };
    await until(shown, `${pattern} on the terminal`, withinMs).catch((error: Error) => {
      throw new Error(`${error.message}; it shows: ${JSON.stringify(this.#output.slice(this.#seen))}`);
    });
    if (match === null) throw new Error("unreachable");
    const found: RegExpExecArray = match;
    this.#seen += found.index + found[0].length;
    return found;
  }
}
