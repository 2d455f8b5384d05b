/*
 * herd COUNT idle|busy|threads|forking|probe LIFETIME_SECONDS [GAP_MICROSECONDS]
 *
 * Forks COUNT processes to be hobbled and prints "pids P1 P2 ...". They die with the herd, and the herd dies at the end of its
 * standard input or of its lifetime, whichever comes first: nothing survives the benchmark, however it ends.
 *
 * idle   sleeps for ever.
 * busy   sleeps until "go" comes on standard input, then spins. Hobbling thus begins before the load does; otherwise every
 *        contestant would spend its first seconds waiting for a CPU.
 * threads  is busy with eight threads.
 * forking  is busy through its children: forks one that spins for some milliseconds, waits for it, and forks the next.
 * probe  is busy and watches the clock: "gaps" on standard input prints a line "PID FROM TO" (CLOCK_MONOTONIC, ns) for each time
 *        that it did not run for GAP_MICROSECONDS or longer, then "end". Before its first turn of the loop it did not run (FROM is 0);
 *        the last gap may last still (TO is the time of the question).
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_GAPS = 8192, THREADS_EACH = 8 };
static const int64_t CHILD_NS = 5000000;

struct gap {
  int64_t from_ns;
  int64_t to_ns;
};

/* Written by one probe, read by the herd. */
struct gap_log {
  volatile int64_t last_ns;
  volatile int count;
  struct gap gaps[MAX_GAPS];
};

static int64_t monotonic_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void die(const char* what) {
  perror(what);
  exit(1);
}

static void spin(void) {
  volatile uint64_t turns = 0;
  for (;;) turns++;
}

static void* spin_in_thread(void* unused) {
  spin();
  return unused;
}

static void spin_in_threads(void) {
  pthread_t thread;
  for (int i = 1; i < THREADS_EACH; i++) {
    if (pthread_create(&thread, NULL, spin_in_thread, NULL) != 0) die("pthread_create");
  }
  spin();
}

static void fork_and_spin(void) {
  const pid_t self = getpid();
  for (;;) {
    const pid_t child = fork();
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != self) _exit(0);
      const int64_t end_ns = monotonic_ns() + CHILD_NS;
      while (monotonic_ns() < end_ns) {
      }
      _exit(0);
    }
    if (child > 0) waitpid(child, NULL, 0);
  }
}

static void watch_clock(struct gap_log* log, int64_t shortest_ns) {
  for (;;) {
    const int64_t now_ns = monotonic_ns();
    if (now_ns - log->last_ns >= shortest_ns && log->count < MAX_GAPS) {
      log->gaps[log->count] = (struct gap){log->last_ns, now_ns};
      log->count++;
    }
    log->last_ns = now_ns;
  }
}

static void print_gap(pid_t pid, struct gap gap) { printf("%d %lld %lld\n", pid, (long long)gap.from_ns, (long long)gap.to_ns); }

static void print_gaps(pid_t pid, const struct gap_log* log, int64_t shortest_ns) {
  const int64_t now_ns = monotonic_ns();
  const struct gap open = {log->last_ns, now_ns};
  for (int g = 0; g < log->count; g++) print_gap(pid, log->gaps[g]);
  if (now_ns - open.from_ns >= shortest_ns) print_gap(pid, open);
}

static void live(const char* kind, pid_t herd, int go, struct gap_log* log, int64_t shortest_gap_ns) {
  char byte;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != herd) _exit(0);
  if (strcmp(kind, "idle") == 0) {
    for (;;) pause();
  }
  /* The write end is closed, never written: one "go" wakes all. EINTR cannot end the wait, there is no handler. */
  while (read(go, &byte, 1) < 0) {
  }
  if (log) watch_clock(log, shortest_gap_ns);
  if (strcmp(kind, "threads") == 0) spin_in_threads();
  if (strcmp(kind, "forking") == 0) fork_and_spin();
  spin();
}

int main(int argc, char** argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: herd COUNT idle|busy|threads|forking|probe LIFETIME_SECONDS [GAP_MICROSECONDS]\n");
    return 2;
  }
  const int count = atoi(argv[1]);
  const char* kind = argv[2];
  const int probing = strcmp(kind, "probe") == 0;
  const int64_t shortest_gap_ns = argc > 4 ? atoll(argv[4]) * 1000 : 1000000;
  alarm((unsigned)atoi(argv[3]));

  /* Without SA_NOCLDSTOP each stop and each resumption of a child would send SIGCHLD to the herd. */
  struct sigaction quiet = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP};
  sigaction(SIGCHLD, &quiet, NULL);

  const size_t log_bytes = sizeof(struct gap_log) * (size_t)count;
  struct gap_log* logs = NULL;
  if (probing) {
    logs = mmap(NULL, log_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (logs == MAP_FAILED) die("mmap");
  }
  int go[2];
  if (pipe(go) < 0) die("pipe");
  pid_t* pids = calloc((size_t)count, sizeof *pids);
  if (!pids) die("calloc");
  /* A grandchild that is stopped before it has asked for PR_SET_PDEATHSIG outlives its parent. In a process group of their own it is
   * sent SIGHUP and SIGCONT when the herd ends, as the group is orphaned then. */
  setpgid(0, 0);
  const pid_t herd = getpid();
  for (int i = 0; i < count; i++) {
    pids[i] = fork();
    if (pids[i] < 0) die("fork"); /* The children that are there already die with us. */
    if (pids[i] == 0) {
      close(go[1]);
      live(kind, herd, go[0], logs ? &logs[i] : NULL, shortest_gap_ns);
    }
  }
  close(go[0]);
  printf("pids");
  for (int i = 0; i < count; i++) printf(" %d", pids[i]);
  printf("\n");
  fflush(stdout);

  char line[16];
  while (fgets(line, sizeof line, stdin)) {
    if (strcmp(line, "go\n") == 0) close(go[1]);
    if (strcmp(line, "gaps\n") == 0) {
      for (int i = 0; logs && i < count; i++) print_gaps(pids[i], &logs[i], shortest_gap_ns);
      printf("end\n");
      fflush(stdout);
    }
  }
  for (int i = 0; i < count; i++) kill(pids[i], SIGKILL);
  for (int i = 0; i < count; i++) waitpid(pids[i], NULL, 0);
  return 0;
}
