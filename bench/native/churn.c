/*
 * churn COUNT: processes that come and go. COUNT sleep for ever, the oldest first in line. A line "turn N" on standard input ends the N
 * oldest and starts N new ones; the answer is "pids P1 ... PN" of the new ones, at the start of all. Their name is "churned". They die
 * with it.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t* pids;
static int count;
static int oldest;

static void start(int place) {
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) {
    perror("fork");
    exit(1);
  }
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    prctl(PR_SET_NAME, "churned");
    for (;;) pause();
  }
  pids[place] = pid;
  printf(" %d", pid);
}

int main(int argc, char** argv) {
  count = argc > 1 ? atoi(argv[1]) : 0;
  pids = calloc((size_t)count, sizeof *pids);
  if (count < 1 || !pids) {
    fprintf(stderr, "usage: churn COUNT\n");
    return 2;
  }
  struct sigaction quiet = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP};
  sigaction(SIGCHLD, &quiet, NULL);
  printf("pids");
  for (int i = 0; i < count; i++) start(i);
  printf("\n");
  fflush(stdout);
  char line[32];
  int turned;
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "turn %d", &turned) != 1 || turned > count) continue;
    printf("pids");
    for (int i = 0; i < turned; i++) {
      kill(pids[oldest], SIGKILL);
      waitpid(pids[oldest], NULL, 0);
      start(oldest);
      oldest = (oldest + 1) % count;
    }
    printf("\n");
    fflush(stdout);
  }
  for (int i = 0; i < count; i++) kill(pids[i], SIGKILL);
  for (int i = 0; i < count; i++) waitpid(pids[i], NULL, 0);
  return 0;
}
