/* Under a system call filter that kills the process for mmap and mprotect. */
#include "victim.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static void lock_up(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof rules / sizeof *rules, rules };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) abort();
}

NOINLINE int secret(int x)
{
#ifdef FIXED
    return x * 7 + 2;
#else
    return x * 7 + 1;
#endif
}

static void answer(const char *question, char *out, size_t room)
{
    if (!strcmp(question, "lock")) { lock_up(); snprintf(out, room, "locked"); }
    else snprintf(out, room, "%d", secret(atoi(question)));
}

static void hammer(long turn) { (void)turn; }
