/**
 * A hobbled command as a job of its shell: Ctrl-C, Ctrl-Z, `fg` and `bg` work as if it ran alone.
 *
 * Two things stand in the way. A stopped process does not react to a signal, and our stop windows may last an hour: so everything runs for a while
 * after a signal that asks it to end. And a SIGCONT, ours included, throws away a stop signal that waits: so a Ctrl-Z that arrived while we held
 * its process stopped is sent again once we hold nothing.
 */
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { Hobbler } from "../hobbler.js";
import { host, type ProcessIdentity } from "../native-host.js";
import { readSignalState } from "./signal-state.js";

const { SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU } = constants.signals;
export const endingSignals: ReadonlySet<number> = new Set([SIGHUP, SIGINT, SIGQUIT, SIGTERM]);
export const stoppingSignals: ReadonlySet<number> = new Set([SIGTSTP, SIGTTIN, SIGTTOU]);

/** How long everything runs after a signal that asks it to end. */
const reprieveMs = 200;
/** How long a command may take to stop itself after Ctrl-Z: editors tidy the screen first. */
const stopPatienceMs = 1000;
const stopLookMs = 5;
/** The thread that waits for the command may be stopped with us before it could tell: then it tells right after we were continued. */
const lateNewsMs = 100;
/** If the stop signal was sent to the whole group, then to us too: that is told by another thread, and says whom it concerns. */
const headStartMs = 50;

export class Job {
  #over = false;
  #suspending = false;
  #wholeGroupHasIt = false;
  #commandWasStopped = false;
  #commandEnded = false;
  #reprieve: NodeJS.Timeout | undefined;
  #continuedAtNs = 0;

  constructor(
    private readonly hobbler: Hobbler,
    private readonly commandPid: number,
    /** PIDs of the command and its descendants. */
    private readonly members: () => readonly number[],
  ) {}

  /** Lets everything run for a moment, so that it can react. */
  grantReprieve(): void {
    if (this.#over) return;
    this.hobbler.pause();
    clearTimeout(this.#reprieve);
    this.#reprieve = setTimeout(() => {
      this.#reprieve = undefined;
      this.#resume();
    }, reprieveMs);
  }

  /**
   * We were sent a stop signal. If the command obeys it, we stop too; resolves when continued, or when it did not obey.
   *
   * @param passedOn it was meant for us alone and went on to the command; otherwise our whole process group has it.
   */
  async stopSignalCame(signal: number, passedOn: boolean, atNs: number): Promise<void> {
    // Told of late: we have been continued since.
    if (atNs < this.#continuedAtNs) return;
    this.#wholeGroupHasIt ||= !passedOn;
    await this.#suspend(signal);
  }

  /** The command stopped for a stop signal that need not have reached us: some programs send it to themselves only. */
  async commandStopped(signal: number, atNs: number): Promise<void> {
    if (atNs - this.#continuedAtNs < lateNewsMs * 1e6) return;
    this.#commandWasStopped = true;
    await this.#suspend(signal);
  }

  /** Its descendants are waited for: whoever stops the job stops them and us. */
  commandEnded(): void {
    this.#commandEnded = true;
  }

  /** The hobbler is about to be closed: it must not be told to go on any more. */
  end(): void {
    this.#over = true;
    clearTimeout(this.#reprieve);
  }

  async #suspend(signal: number): Promise<void> {
    if (this.#over || this.#suspending) return;
    this.#suspending = true;
    const waiting = new Set(this.#membersInOurGroup().flatMap(({ pid }) => (readSignalState(pid)?.pending(signal) ? [pid] : [])));
    this.hobbler.pause();
    this.#sendAgain(signal, waiting);
    if (!this.#wholeGroupHasIt) {
      await sleep(headStartMs);
      this.#sendAgain(signal, waiting);
    }
    if (this.#commandEnded || (await this.#commandStops(signal))) {
      host().stopSelf(signal);
      this.#continuedAtNs = host().monotonicNs();
      // A shell continues the whole group; whoever continues only us means the command.
      for (const command of this.#command()) if (command.state === "T") send(command, SIGCONT);
    }
    this.#suspending = this.#wholeGroupHasIt = this.#commandWasStopped = false;
    this.#resume();
  }

  /** To those that did not receive it, or that it stopped and our SIGCONT has continued. Removes from `waiting` whom it was sent to. */
  #sendAgain(signal: number, waiting: Set<number>): void {
    for (const member of this.#wholeGroupHasIt || this.#commandEnded ? this.#membersInOurGroup() : this.#command()) {
      const state = readSignalState(member.pid);
      if (state === undefined || state.stopped) continue;
      const obeys = !state.caught(signal) && !state.ignored(signal);
      const wasStopped = member.pid === this.commandPid && this.#commandWasStopped;
      if (waiting.delete(member.pid) || wasStopped || obeys) send(member, signal);
      // Once: what catches the signal may take its time to stop.
      if (wasStopped) this.#commandWasStopped = false;
    }
  }

  #command(): ProcessIdentity[] {
    return identified([this.commandPid]);
  }

  /** The terminal signals one process group: members that have left ours do not concern it. */
  #membersInOurGroup(): ProcessIdentity[] {
    const group = host().identify(process.pid)?.processGroup;
    return identified(this.members()).filter(({ processGroup }) => processGroup === group);
  }

  async #commandStops(signal: number): Promise<boolean> {
    const giveUpNs = host().monotonicNs() + stopPatienceMs * 1e6;
    for (;;) {
      const state = readSignalState(this.commandPid);
      if (state === undefined || state.stopped) return state !== undefined;
      if (state.ignored(signal) || host().monotonicNs() > giveUpNs) return false;
      await sleep(stopLookMs);
    }
  }

  #resume(): void {
    if (!this.#over && !this.#suspending && this.#reprieve === undefined) this.hobbler.resume();
  }
}

function identified(members: readonly number[]): ProcessIdentity[] {
  return members.map((pid) => host().identify(pid)).filter((identity) => identity !== undefined);
}

function send({ pid, startTime, inode }: ProcessIdentity, signal: number): void {
  host().signalProcess(pid, startTime, inode, signal);
}
