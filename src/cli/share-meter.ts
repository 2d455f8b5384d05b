/** Shares of a CPU that processes spend, measured and shown. */
import { host } from "../native-host.js";
import { LiveLines } from "./live.js";
import { formatShare } from "./output.js";

const barWidth = 40;

/** From one look to the next, by the processes' CPU clocks. */
export class ShareMeter {
  #looks: { cpuNs: number; atNs: number }[];

  constructor(private readonly pids: readonly number[]) {
    this.#looks = pids.map(look);
  }

  shares(): number[] {
    const before = this.#looks;
    this.#looks = this.pids.map(look);
    return this.#looks.map((now, index) => {
      const last = before[index];
      return last === undefined ? Number.NaN : (now.cpuNs - last.cpuNs) / (now.atNs - last.atNs);
    });
  }
}

function look(pid: number): { cpuNs: number; atNs: number } {
  return { cpuNs: host().cpuTimeNs(pid), atNs: host().monotonicNs() };
}

/** Bars on a terminal, a plain line a second elsewhere. */
export function showShares(pids: readonly number[]): { stop(): void } {
  const live = new LiveLines();
  const meter = new ShareMeter(pids);
  const ticker = setInterval(
    () => {
      const shares = meter.shares();
      if (live.enabled) live.show(shares.map((share, index) => `${String(pids[index]).padStart(8)} ${bar(share)} ${formatShare(share)}`));
      else live.print(`CPU spent: ${shares.map(formatShare).join(", ")}`);
    },
    live.enabled ? 520 : 1040, // whole periods
  );
  return {
    stop() {
      clearInterval(ticker);
      live.clear();
    },
  };
}

function bar(share: number): string {
  return `[${"#".repeat(Math.min(barWidth, Math.round(share * barWidth))).padEnd(barWidth)}]`;
}
