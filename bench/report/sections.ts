/** What the report tells, in order, before anybody decides how it looks. */

export interface Section {
  scenario: string;
  title: string;
  /** What is asked, and how it was found out. */
  lede: string;
  /** Metrics that are drawn, one plot for each point. */
  drawn: readonly string[];
}

/** Scenarios whose figures are drawn alike: one row for each contestant. "windows" has plots of its own. */
export const sections: readonly Section[] = [
  {
    scenario: "experiment",
    title: "200 sleeping processes",
    lede: "The experiment that started it all kept 200 sleeping processes stopped 250 ms, running 10 ms, and read its process trees again in each period. With psutil it used 85.4 % (asyncio), 100.4 % (gevent) and 172.8 % (threads) of a CPU in 2015; its author wanted less than 10 %. The same again, on this host: each peer with trees, as the experiment was, and with bare processes.",
    drawn: ["cpu"],
  },
  {
    scenario: "limits",
    title: "Limits: CPU got against CPU asked",
    lede: "One busy process, allowed a share of one CPU. 1 is what was asked for.",
    drawn: ["limitOff", "cpu"],
  },
  {
    scenario: "pools",
    title: "Pools: one limit, shared fairly",
    lede: "Targets that share one limit: how much more the best off got than the worst off.",
    drawn: ["fairness", "limitOff", "cpu"],
  },
  {
    scenario: "bystanders",
    title: "Bystanders",
    lede: "What innocent processes feel while 100 busy targets are hobbled beside them: how late one wakes that sleeps for a millisecond at a time; how much a compiler and a Redis server get done. With “nothing”, the 100 targets run freely.",
    drawn: ["latencyP99", "compiles", "requests", "requestP99"],
  },
  {
    scenario: "benefit",
    title: "Net benefit: CPU given back for CPU taken",
    lede: "The question on which the experiment gave up: does a hobbler give back more than it takes? Innocent threads compute on every CPU beside busy targets; what they get more than beside unhobbled ones is given back. Divided by the CPU that the hobbler used itself. Whoever gives its targets less than it was to has more to give back: what they got is drawn too.",
    drawn: ["givenBack", "benefit", "targetsCpu"],
  },
  {
    scenario: "recovery",
    title: "After SIGKILL",
    lede: "20 busy targets; the hobbler is killed with SIGKILL at a random moment. How many of the targets are still stopped a second and a half later, and when did the last one run again?",
    drawn: ["leftStopped", "resumedAfter"],
  },
  {
    scenario: "startup",
    title: "Start-up and memory",
    lede: "From starting the program until the first target is stopped; from the order until the last of 1,000 targets is; and the memory used then, shared pages divided among those that share them.",
    drawn: ["startup", "adding", "memory"],
  },
  {
    scenario: "churn",
    title: "Coming and going",
    lede: "Targets that are added, stopped once and released again, as fast as it goes.",
    drawn: ["churn"],
  },
  {
    scenario: "discovery",
    title: "Discovery: one look at all processes",
    lede: "What it takes to find out who is running, their names, users, programs and command lines (but for /proc in Node and identify, which read one file or two of each), beside a thousand sleeping processes. “Again”: as the daemon looks, which does not read again what has not changed.",
    drawn: ["scan"],
  },
];
