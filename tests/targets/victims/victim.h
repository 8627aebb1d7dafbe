/*
 * What all victims have in common: a program that answers each line on its standard input with one line, while worker threads keep
 * calling the code that is about to be patched. A victim defines answer() and hammer(), and says with #ifdef FIXED what the fix changes.
 *
 *   victim THREADS [US] starts that many workers, prints "ready", then answers until its input ends; each worker pauses for so many
 *                       microseconds after 64 turns (200)
 *   gap                 every victim answers: largest time between two iterations of a worker since the last "gap", nanoseconds
 *   count               every victim answers: iterations of all workers
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))

/* Not inlined: main() and the workers never return, so a fix must not concern them. */
static NOINLINE void answer(const char *question, char *out, size_t room);
static NOINLINE void hammer(long turn);

static long victim_count, victim_gap;
static int victim_pause = 200;

static long victim_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void *victim_worker(void *unused)
{
    long last = victim_now();
    for (long turn = 0;; turn++) {
        hammer(turn);
        long now = victim_now(), gap = now - last, most = __atomic_load_n(&victim_gap, __ATOMIC_RELAXED);
        last = now;
        while (gap > most && !__atomic_compare_exchange_n(&victim_gap, &most, gap, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) { }
        if (turn % 64 == 0) {
            __atomic_fetch_add(&victim_count, 64, __ATOMIC_RELAXED);
            usleep(victim_pause);        /* fifty of them share two CPUs */
            last = victim_now();
        }
    }
    return unused;
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 0;
    if (argc > 2) victim_pause = atoi(argv[2]);
    for (int i = 0; i < threads; i++) {
        pthread_t worker;
        pthread_attr_t small;
        pthread_attr_init(&small);
        pthread_attr_setstacksize(&small, 256 << 10);
        if (pthread_create(&worker, &small, victim_worker, NULL)) return 3;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("ready");
    char line[256], out[4096];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (!strcmp(line, "gap")) snprintf(out, sizeof out, "%ld", __atomic_exchange_n(&victim_gap, 0, __ATOMIC_RELAXED));
        else if (!strcmp(line, "count")) snprintf(out, sizeof out, "%ld", __atomic_load_n(&victim_count, __ATOMIC_RELAXED));
        else answer(line, out, sizeof out);
        puts(out);
    }
    return 0;
}
