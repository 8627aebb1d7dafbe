/* A process that replaces itself (exec) and one that has children (fork). */
#include "victim.h"
#include <sys/prctl.h>
#include <signal.h>

NOINLINE const char *say(void)
{
#ifdef FIXED
    return "fixed";
#else
    return "flawed";
#endif
}

static void answer(const char *question, char *out, size_t room)
{
    if (!strcmp(question, "exec")) execl("/proc/self/exe", "renewed", "0", (char *)NULL);
    if (!strcmp(question, "fork")) {
        pid_t child = fork();
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;) pause();
        }
        snprintf(out, room, "%d", child);
    } else snprintf(out, room, "%s", say());
}

static void hammer(long turn) { (void)turn; }
