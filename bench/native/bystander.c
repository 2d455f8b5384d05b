/*
 * bystander latency|compute SLICE_MS [THREADS]
 *
 * An innocent process beside the targets, at ordinary priority. Prints one line for each slice of time, until its standard input ends.
 *
 * latency   wakes each millisecond: how late each time, ns.
 * compute   THREADS threads that spin: turns, and CPU time, ns.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { MAX_THREADS = 256, INTERVAL_NS = 1000000 };

struct spinner {
  _Alignas(64) _Atomic uint64_t turns;
};

static struct spinner spinners[MAX_THREADS];

static int64_t clock_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void sleep_until(int64_t when_ns) {
  const struct timespec when = {.tv_sec = when_ns / 1000000000, .tv_nsec = when_ns % 1000000000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR) {
  }
}

static int input_ended(void) {
  struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
  char byte;
  return poll(&input, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

static void latency(int64_t slice_ns) {
  int64_t next_ns = clock_ns(CLOCK_MONOTONIC);
  while (!input_ended()) {
    const int64_t end_ns = next_ns + slice_ns;
    while (next_ns < end_ns) {
      next_ns += INTERVAL_NS;
      sleep_until(next_ns);
      const int64_t late_ns = clock_ns(CLOCK_MONOTONIC) - next_ns;
      printf("%lld ", (long long)late_ns);
      /* Wake-ups that are wholly past are skipped: one long wait is one late wake-up, not a thousand. */
      if (late_ns > INTERVAL_NS) next_ns += late_ns / INTERVAL_NS * INTERVAL_NS;
    }
    printf("\n");
    fflush(stdout);
  }
}

static void* spin(void* argument) {
  struct spinner* self = argument;
  volatile uint64_t sink = 0;
  for (;;) {
    for (int i = 0; i < 10000; i++) sink += (uint64_t)i;
    atomic_fetch_add_explicit(&self->turns, 1, memory_order_relaxed);
  }
  return NULL;
}

static uint64_t all_turns(int threads) {
  uint64_t turns = 0;
  for (int i = 0; i < threads; i++) turns += atomic_load_explicit(&spinners[i].turns, memory_order_relaxed);
  return turns;
}

static void compute(int64_t slice_ns, int threads) {
  for (int i = 0; i < threads; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, spin, &spinners[i]) != 0) exit(1);
  }
  uint64_t turns = 0;
  int64_t cpu_ns = 0;
  int64_t time_ns = clock_ns(CLOCK_MONOTONIC);
  while (!input_ended()) {
    sleep_until(time_ns + slice_ns);
    const uint64_t turns_now = all_turns(threads);
    const int64_t cpu_now_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    const int64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    printf("%llu %lld %lld\n", (unsigned long long)(turns_now - turns), (long long)(cpu_now_ns - cpu_ns), (long long)(now_ns - time_ns));
    fflush(stdout);
    turns = turns_now;
    cpu_ns = cpu_now_ns;
    time_ns = now_ns;
  }
}

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: bystander latency|compute SLICE_MS [THREADS]\n");
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int64_t slice_ns = atoll(argv[2]) * 1000000;
  const int threads = argc > 3 ? atoi(argv[3]) : 1;
  if (strcmp(argv[1], "latency") == 0)
    latency(slice_ns);
  else
    compute(slice_ns, threads > MAX_THREADS ? MAX_THREADS : threads);
  return 0;
}
