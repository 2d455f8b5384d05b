/** Tables of leases that were tampered with; see native/lease-fuzz.cc. */
import { spawnSync } from "node:child_process";
import { sourceProgram } from "../native-programs.js";
import type { Lengths } from "./lengths.js";
import type { Verdicts } from "./verdicts.js";

const readers = ["cgroup", "leases", "process", "procfs", "recovery", "runtime_dir"];
const sanitizers = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

export function leaseFuzz({ fuzzInputs }: Lengths, verdicts: Verdicts): void {
  verdicts.heading("tables of leases that were tampered with, under AddressSanitizer and UBSan");
  const program = sourceProgram("lease-fuzz", readers, sanitizers);
  const { stdout, stderr, status } = spawnSync(program, [String(fuzzInputs), "1"], { encoding: "utf8" });
  verdicts.tell(status === 0, stdout.trim() || stderr.trim());
}
