/* One thread that stays inside the function to be patched until it is told to leave. */
#include "victim.h"

static _Atomic int let_go;

NOINLINE int wait_here(void)
{
    while (!let_go) __asm__ volatile("pause");
#ifdef FIXED
    return 2;
#else
    return 1;
#endif
}

static void *sitter(void *unused) { wait_here(); return unused; }

NOINLINE long other_work(long x) { return x * 2; }

static void answer(const char *question, char *out, size_t room)
{
    pthread_t thread;
    if (!strcmp(question, "sit")) { let_go = 0; pthread_create(&thread, NULL, sitter, NULL); snprintf(out, room, "sitting"); }
    else { let_go = 1; snprintf(out, room, "%d", wait_here()); }
}

static void hammer(long turn) { if (other_work(turn) != turn * 2) abort(); }
