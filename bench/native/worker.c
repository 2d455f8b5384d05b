/*
 * worker TURNS | worker family
 *
 * A program with some work to do: prints its PID; at each line of its input works, and prints how long that took (ms).
 * A family waits for its child, which spins; prints the child's PID.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double monotonic_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int family(void) {
  const pid_t self = getpid();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != self) _exit(0);
    volatile uint64_t turns = 0;
    for (;;) turns++;
  }
  printf("%d\n", child);
  fflush(stdout);
  waitpid(child, NULL, 0);
  return 0;
}

int main(int argc, char** argv) {
  char line[16];
  const int64_t turns = argc > 1 ? atoll(argv[1]) : 0;
  volatile int64_t sink = 0;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (argc > 1 && strcmp(argv[1], "family") == 0) return family();
  printf("%d\n", getpid());
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    const double begin = monotonic_ms();
    for (int64_t i = 0; i < turns; i++) sink += i;
    printf("%.3f\n", monotonic_ms() - begin);
    fflush(stdout);
  }
  return 0;
}
