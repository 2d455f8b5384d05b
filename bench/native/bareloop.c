/*
 * bareloop RUN_US STOP_US SECONDS PRIORITY <PIDS
 *
 * The floor: what the signals of N cycles cost when nothing is done but pidfd_send_signal(2). The processes are signalled in the order
 * and at the rate of evenly spread cycles, in one burst each millisecond, under SCHED_FIFO if PRIORITY is not 0. Not faster: flat out,
 * signals overtake the processes that they are for, and one to a process that had no time to stop costs half as much (2.3 µs, not 4.6).
 *
 * Prints one line of JSON: signals sent, CPU time spent, time elapsed (ns).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PROCESSES = 32768 };
static const int64_t burst_ns = 1000000;

struct step {
  int64_t offset_ns;
  int pidfd;
  int signal;
};

static struct step steps[2 * MAX_PROCESSES];
static int pidfds[MAX_PROCESSES];

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

static int by_offset(const void* left, const void* right) {
  const int64_t a = ((const struct step*)left)->offset_ns;
  const int64_t b = ((const struct step*)right)->offset_ns;
  return (a > b) - (a < b);
}

static int open_pidfds(void) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  int count = 0;
  int pid;
  while (count < MAX_PROCESSES && scanf("%d", &pid) == 1) {
    pidfds[count] = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfds[count] < 0) {
      perror("pidfd_open");
      exit(1);
    }
    count++;
  }
  return count;
}

int main(int argc, char** argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: bareloop RUN_US STOP_US SECONDS PRIORITY <PIDS\n");
    return 2;
  }
  const int64_t run_ns = atoll(argv[1]) * 1000;
  const int64_t period_ns = run_ns + atoll(argv[2]) * 1000;
  const int64_t length_ns = (int64_t)(atof(argv[3]) * 1e9);
  const struct sched_param param = {.sched_priority = atoi(argv[4])};

  const int count = open_pidfds();
  if (count == 0) return 2;
  for (int i = 0; i < count; i++) {
    const int64_t phase_ns = period_ns * i / count;
    steps[2 * i] = (struct step){phase_ns, pidfds[i], SIGCONT};
    steps[2 * i + 1] = (struct step){(phase_ns + run_ns) % period_ns, pidfds[i], SIGSTOP};
  }
  qsort(steps, 2 * (size_t)count, sizeof *steps, by_offset);
  if (param.sched_priority > 0 && sched_setscheduler(0, SCHED_FIFO, &param) < 0) {
    perror("sched_setscheduler");
    return 1;
  }

  int64_t signals = 0;
  const int64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
  const int64_t cpu_begin_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  int next = 0;
  int64_t period_begin_ns = begin_ns;
  int64_t now_ns = begin_ns;
  while (now_ns < begin_ns + length_ns) {
    sleep_until(now_ns + burst_ns - (now_ns - begin_ns) % burst_ns);
    now_ns = clock_ns(CLOCK_MONOTONIC);
    while (period_begin_ns + steps[next].offset_ns <= now_ns) {
      syscall(SYS_pidfd_send_signal, steps[next].pidfd, steps[next].signal, NULL, 0);
      signals++;
      if (++next == 2 * count) {
        next = 0;
        period_begin_ns += period_ns;
      }
    }
  }
  const int64_t cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_begin_ns;
  const int64_t elapsed_ns = clock_ns(CLOCK_MONOTONIC) - begin_ns;
  for (int i = 0; i < count; i++) syscall(SYS_pidfd_send_signal, pidfds[i], SIGCONT, NULL, 0);
  printf("{\"signals\":%lld,\"cpuNs\":%lld,\"elapsedNs\":%lld}\n", (long long)signals, (long long)cpu_ns, (long long)elapsed_ns);
  return 0;
}
