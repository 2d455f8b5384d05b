export function readHistograms(engine) {
  const { boundsNs, lateness, runError, stopError } = engine.histograms();
  return { boundsNs, lateness: histogram(lateness), runError: histogram(runError), stopError: histogram(stopError) };
}
/** The native side gives the counts below each bound, then the count of all and their sum. */
function histogram(figures) {
  return { cumulative: figures.slice(0, -2), count: figures.at(-2) ?? 0, sumNs: figures.at(-1) ?? 0 };
}
export function readHobblerStats(engine) {
  const { share, lateness, runError, stopError, wakeLatency, ...native } = engine.stats();
  return {
    ...native,
    scheduler: native.scheduler,
    signalMethod: native.signalMethod,
    realtimeError: native.realtimeError === "" ? undefined : native.realtimeError,
    cpu: native.cpu < 0 ? undefined : native.cpu,
    guardian: native.guardian === 0 ? undefined : native.guardian,
    concurrency: native.concurrency === 0 ? undefined : native.concurrency,
    dutyAchieved: duty(native.ranNs, native.stoppedNs),
    cpuShare: share,
    lateness: quantiles(lateness),
    runError: quantiles(runError),
    stopError: quantiles(stopError),
    wakeLatency: quantiles(wakeLatency),
  };
}
/** undefined until the first cycle has ended. */
export function duty(ranNs, stoppedNs) {
  return ranNs > 0 ? ranNs / (ranNs + stoppedNs) : undefined;
}
function quantiles({ count, mean, p50, p90, p99, p999, max }) {
  return { count, meanNs: mean, p50Ns: p50, p90Ns: p90, p99Ns: p99, p999Ns: p999, maxNs: max };
}
