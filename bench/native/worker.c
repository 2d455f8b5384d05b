/*
 * worker TURNS
 *
 * A program with some work to do. Prints its PID, waits for a line, works, prints how long it took (ms), and ends.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static double monotonic_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int main(int argc, char** argv) {
  char line[16];
  const int64_t turns = argc > 1 ? atoll(argv[1]) : 0;
  volatile int64_t sink = 0;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
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
