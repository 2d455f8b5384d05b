/*
 * synthetic PID RUN_US STOP_US WINDOWS ERROR_NS...
 *
 * A contestant whose errors are known: makes WINDOWS run windows of each error, in turn, spinning to each moment, and prints a line
 * "ERROR RESUMED RESUMED_BY STOPPED STOPPED_BY" for each window: the error asked for and the clock (CLOCK_MONOTONIC, ns) just before and
 * just after each signal. Whoever is a referee has to find each signal between the two. Ends with the process resumed.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SPIN_NS = 300000, MAX_WINDOWS = 100000, FIRST_ERROR = 5 };

struct window {
  int64_t error_ns;
  int64_t resumed_ns, resumed_by_ns;
  int64_t stopped_ns, stopped_by_ns;
};

static struct window windows[MAX_WINDOWS];

static int64_t monotonic_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* The clock at the moment at which it was reached. */
static int64_t wait_until(int64_t when_ns) {
  const int64_t sleep_ns = when_ns - SPIN_NS;
  const struct timespec until = {.tv_sec = sleep_ns / 1000000000, .tv_nsec = sleep_ns % 1000000000};
  if (sleep_ns > monotonic_ns()) clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
  int64_t now_ns = monotonic_ns();
  while (now_ns < when_ns) now_ns = monotonic_ns();
  return now_ns;
}

int main(int argc, char** argv) {
  if (argc <= FIRST_ERROR) {
    fprintf(stderr, "usage: synthetic PID RUN_US STOP_US WINDOWS ERROR_NS...\n");
    return 2;
  }
  const pid_t pid = atoi(argv[1]);
  const int64_t run_ns = atoll(argv[2]) * 1000;
  const int64_t stop_ns = atoll(argv[3]) * 1000;
  const int errors = argc - FIRST_ERROR;
  const int count = atoi(argv[4]) * errors;
  if (pid <= 1 || count > MAX_WINDOWS) return 2;
  const struct sched_param param = {.sched_priority = 60};
  sched_setscheduler(0, SCHED_FIFO, &param); /* Where it is refused the log tells what really happened. */

  kill(pid, SIGSTOP);
  int64_t stopped_ns = monotonic_ns();
  for (int i = 0; i < count; i++) {
    struct window* window = &windows[i];
    window->error_ns = atoll(argv[FIRST_ERROR + i % errors]);
    window->resumed_ns = wait_until(stopped_ns + stop_ns);
    kill(pid, SIGCONT);
    window->resumed_by_ns = monotonic_ns();
    window->stopped_ns = wait_until(window->resumed_ns + run_ns + window->error_ns);
    kill(pid, SIGSTOP);
    window->stopped_by_ns = monotonic_ns();
    stopped_ns = window->stopped_ns;
  }
  kill(pid, SIGCONT);
  for (int i = 0; i < count; i++) {
    const struct window* const w = &windows[i];
    printf("%lld %lld %lld %lld %lld\n", (long long)w->error_ns, (long long)w->resumed_ns, (long long)w->resumed_by_ns,
           (long long)w->stopped_ns, (long long)w->stopped_by_ns);
  }
  return 0;
}
