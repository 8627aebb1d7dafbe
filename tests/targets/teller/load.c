// Steady load on many servers that speak the wire format of Redis, for as long as it runs, with every failure counted.
//
//   load FOLDER MILLISECONDS NAME=PORT...
//
// One connection a target; each sends SET and GET in turn, a request every MILLISECONDS, and compares each answer.
// PING is left out on purpose: it is what the health probe asks. Once a second FOLDER/NAME.txt gets one line:
//   requests failed longest_wait_us longest_wait_us_since_the_last_SIGUSR1
// A wait is the time from sending to the whole answer. Failed: a wrong answer, a closed or refused connection, or
// two seconds without an answer. FOLDER/failures.log says what each was.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TARGETS_MAX = 256, PATIENCE_US = 2000000, REPLY_BYTES = 256 };

struct target {
    char name[64];
    int port, socket, waiting;
    long number, sent_us, due_us, failed, longest_us, longest_since_mark_us;
    char reply[REPLY_BYTES], expected[REPLY_BYTES];
    size_t held;
};

static struct target targets[TARGETS_MAX];
static struct pollfd polls[TARGETS_MAX];
static int target_count;
static const char *folder;
static volatile sig_atomic_t marked, ended;

static void on_signal(int signal) { if (signal == SIGUSR1) marked = 1; else ended = 1; }

static long now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

static void hang_up(struct target *target) {
    if (target->socket >= 0) close(target->socket);
    target->socket = -1;
    target->waiting = 0;
    target->held = 0;
}

static void fail(struct target *target, const char *what) {
    char path[4096];
    target->failed++;
    snprintf(path, sizeof path, "%s/failures.log", folder);
    FILE *log = fopen(path, "a");
    if (log != NULL) {
        fprintf(log, "%ld %s request %ld: %s (answer: %.*s)\n", (long)time(NULL), target->name, target->number, what,
            (int)strcspn(target->reply, "\r\n"), target->reply);
        fclose(log);
    }
    hang_up(target);
    target->due_us = now_us() + 100000;
}

static int reach(struct target *target) {
    int yes = 1;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short)target->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    target->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(target->socket, (struct sockaddr *)&address, sizeof address) != 0) return 0;
    setsockopt(target->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return 1;
}

// Odd requests set a value that no request used before; even ones read it back.
static void ask(struct target *target) {
    char value[32], request[256];
    target->number++;
    target->reply[0] = 0;
    if (target->socket < 0 && !reach(target)) { fail(target, strerror(errno)); return; }
    int length = snprintf(value, sizeof value, "value-%ld", (target->number + 1) / 2);
    if (target->number % 2 == 1) {
        length = snprintf(request, sizeof request, "*3\r\n$3\r\nSET\r\n$4\r\nload\r\n$%d\r\n%s\r\n", length, value);
        strcpy(target->expected, "+OK\r\n");
    } else {
        snprintf(target->expected, sizeof target->expected, "$%d\r\n%s\r\n", length, value);
        length = snprintf(request, sizeof request, "*2\r\n$3\r\nGET\r\n$4\r\nload\r\n");
    }
    target->sent_us = now_us();
    target->waiting = 1;
    if (send(target->socket, request, (size_t)length, MSG_NOSIGNAL) != length) fail(target, "could not send");
}

static void hear(struct target *target) {
    ssize_t got = recv(target->socket, target->reply + target->held, REPLY_BYTES - 1 - target->held, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) { fail(target, got == 0 ? "connection closed" : strerror(errno)); return; }
    target->held += (size_t)got;
    target->reply[target->held] = 0;
    if (!target->waiting) { fail(target, "an answer nobody asked for"); return; }
    if (target->held < strlen(target->expected) && strncmp(target->reply, target->expected, target->held) == 0) return;
    if (strcmp(target->reply, target->expected) != 0) { fail(target, "wrong answer"); return; }
    long wait = now_us() - target->sent_us;
    if (wait > target->longest_us) target->longest_us = wait;
    if (wait > target->longest_since_mark_us) target->longest_since_mark_us = wait;
    target->waiting = 0;
    target->held = 0;
}

static void report(struct target *target) {
    char path[4096], fresh[4200];
    snprintf(path, sizeof path, "%s/%s.txt", folder, target->name);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *file = fopen(fresh, "w");
    if (file == NULL) return;
    fprintf(file, "%ld %ld %ld %ld\n", target->number - target->waiting, target->failed, target->longest_us, target->longest_since_mark_us);
    fclose(file);
    rename(fresh, path);
}

int main(int count, char **arguments) {
    if (count < 4 || count - 3 > TARGETS_MAX) { fprintf(stderr, "usage: load FOLDER MILLISECONDS NAME=PORT...\n"); return 2; }
    folder = arguments[1];
    long step_us = atol(arguments[2]) * 1000, next_report_us = 0, start_us = now_us();
    if (step_us < 1000) return 2;
    for (target_count = 0; target_count < count - 3; target_count++) {
        struct target *target = &targets[target_count];
        target->socket = -1;
        target->due_us = start_us;
        if (sscanf(arguments[target_count + 3], "%63[^=]=%d", target->name, &target->port) != 2) return 2;
    }
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);

    while (!ended) {
        long now = now_us(), wake = next_report_us;
        for (int i = 0; i < target_count; i++) {
            struct target *target = &targets[i];
            if (target->waiting && now - target->sent_us > PATIENCE_US) fail(target, "no answer within 2 s");
            if (!target->waiting && target->due_us <= now) {
                ask(target);
                if (target->waiting) target->due_us = target->due_us + step_us > now ? target->due_us + step_us : now + step_us;
            }
            if (!target->waiting && target->due_us < wake) wake = target->due_us;
            polls[i] = (struct pollfd){ .fd = target->socket, .events = POLLIN };
        }
        now = now_us();
        if (now >= next_report_us) {
            for (int i = 0; i < target_count; i++) report(&targets[i]);
            next_report_us = now + 1000000;
            continue;
        }
        long rest = wake > now ? wake - now : 0;
        struct timespec timeout = { rest / 1000000, rest % 1000000 * 1000 };
        if (ppoll(polls, (nfds_t)target_count, &timeout, NULL) > 0)
            for (int i = 0; i < target_count; i++)
                if (polls[i].revents != 0) hear(&targets[i]);
        if (marked) {
            marked = 0;
            for (int i = 0; i < target_count; i++) targets[i].longest_since_mark_us = 0;
        }
    }
    for (int i = 0; i < target_count; i++) report(&targets[i]);
    return 0;
}
