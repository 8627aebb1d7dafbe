// A small request server to patch while it works: four threads, a table of commands, the wire format of Redis.
// Its flaw: RESTORE believes the lengths inside the payload it is given, and answers +OK to one that lies.
// fix.diff repairs that; bad-fix.diff repairs it and breaks PING.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { THREADS = 4, ARGUMENTS_MAX = 8, BUFFER_BYTES = 16384, SLOTS = 1024, KEY_BYTES = 64, VALUE_BYTES = 1024 };

struct text { const unsigned char *bytes; size_t length; };
struct request { struct text argument[ARGUMENTS_MAX]; int arguments; };
struct connection { int socket; size_t held; unsigned char buffer[BUFFER_BYTES]; };
struct slot { char key[KEY_BYTES]; unsigned char value[VALUE_BYTES]; size_t length; };

static struct slot table[SLOTS];
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;

static void answer(int socket, const void *bytes, size_t length) {
    const char *next = bytes;
    while (length > 0) {
        ssize_t sent = send(socket, next, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return;
        next += sent;
        length -= (size_t)sent;
    }
}

static void answer_line(int socket, const char *line) { answer(socket, line, strlen(line)); }

// The slot of a key, or a free one, or NULL; the caller holds the lock.
static struct slot *find(struct text key) {
    unsigned hash = 2166136261u;
    for (size_t i = 0; i < key.length; i++) hash = (hash ^ key.bytes[i]) * 16777619u;
    for (int probe = 0; probe < 16; probe++) {
        struct slot *slot = &table[(hash + (unsigned)probe) % SLOTS];
        if (slot->key[0] == 0) return slot;
        if (strlen(slot->key) == key.length && memcmp(slot->key, key.bytes, key.length) == 0) return slot;
    }
    return NULL;
}

static int store(struct text key, const unsigned char *value, size_t length) {
    if (key.length == 0 || key.length >= KEY_BYTES || length > VALUE_BYTES) return 0;
    pthread_mutex_lock(&table_lock);
    struct slot *slot = find(key);
    if (slot != NULL) {
        memcpy(slot->key, key.bytes, key.length);
        slot->key[key.length] = 0;
        memcpy(slot->value, value, length);
        slot->length = length;
    }
    pthread_mutex_unlock(&table_lock);
    return slot != NULL;
}

// --- commands, reached through the table below only ---

static void ping_command(int socket, struct request *request) {
    (void)request;
    answer_line(socket, "+PONG\r\n");
}

static void set_command(int socket, struct request *request) {
    struct text value = request->argument[2];
    answer_line(socket, store(request->argument[1], value.bytes, value.length) ? "+OK\r\n" : "-ERR no room\r\n");
}

static void get_command(int socket, struct request *request) {
    unsigned char reply[VALUE_BYTES + 32];
    int head = -1;
    pthread_mutex_lock(&table_lock);
    struct slot *slot = find(request->argument[1]);
    if (slot != NULL && slot->key[0] != 0) {
        head = sprintf((char *)reply, "$%zu\r\n", slot->length);
        memcpy(reply + head, slot->value, slot->length);
        memcpy(reply + head + slot->length, "\r\n", 2);
        head += (int)slot->length + 2;
    }
    pthread_mutex_unlock(&table_lock);
    if (head < 0) answer_line(socket, "$-1\r\n");
    else answer(socket, reply, (size_t)head);
}

// RESTORE key ttl payload. The payload is a list of strings, each one length byte and that many bytes.
static void restore_command(int socket, struct request *request) {
    struct text payload = request->argument[3];
    unsigned char value[VALUE_BYTES];
    size_t length = 0;
    for (size_t at = 0; at < payload.length;) {
        size_t piece = payload.bytes[at++];
        if (length + piece > sizeof value) break;
        memcpy(value + length, payload.bytes + at, piece);   // the flaw: nothing says that these bytes belong to us
        length += piece;
        at += piece;
    }
    answer_line(socket, store(request->argument[1], value, length) ? "+OK\r\n" : "-ERR no room\r\n");
}

static const struct { const char *name; int arguments; void (*run)(int, struct request *); } commands[] = {
    { "PING", 1, ping_command }, { "SET", 3, set_command }, { "GET", 2, get_command }, { "RESTORE", 4, restore_command },
};

static void run(int socket, struct request *request) {
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strlen(commands[i].name) != request->argument[0].length) continue;
        if (strncasecmp(commands[i].name, (const char *)request->argument[0].bytes, request->argument[0].length) != 0) continue;
        if (request->arguments < commands[i].arguments) break;
        commands[i].run(socket, request);
        return;
    }
    answer_line(socket, "-ERR unknown command or too few arguments\r\n");
}

// --- requests off the wire ---

// A line up to CRLF: its length, or -1 when it has not arrived whole.
static long line_length(const unsigned char *from, const unsigned char *end) {
    const unsigned char *found = memmem(from, (size_t)(end - from), "\r\n", 2);
    return found == NULL ? -1 : found - from;
}

// Bytes taken by the first request of the buffer; 0 = wait for more, -1 = not a request.
static long parse(const unsigned char *bytes, size_t held, struct request *request) {
    const unsigned char *at = bytes, *end = bytes + held;
    long line = line_length(at, end);
    request->arguments = 0;
    if (line < 0) return held > BUFFER_BYTES / 2 ? -1 : 0;
    if (*at != '*') {
        const unsigned char *stop = at + line;
        while (at < stop && request->arguments < ARGUMENTS_MAX) {
            const unsigned char *word = at;
            while (at < stop && *at != ' ') at++;
            if (at > word) request->argument[request->arguments++] = (struct text){ word, (size_t)(at - word) };
            while (at < stop && *at == ' ') at++;
        }
        return line + 2;
    }
    long count = strtol((const char *)at + 1, NULL, 10);
    if (count < 1 || count > ARGUMENTS_MAX) return -1;
    at += line + 2;
    for (long i = 0; i < count; i++) {
        line = line_length(at, end);
        if (line < 0) return 0;
        long length = *at == '$' ? strtol((const char *)at + 1, NULL, 10) : -1;
        if (length < 0 || length > BUFFER_BYTES / 2) return -1;
        at += line + 2;
        if (end - at < length + 2) return 0;
        request->argument[request->arguments++] = (struct text){ at, (size_t)length };
        at += length + 2;
    }
    return at - bytes;
}

// False when the connection is over.
static int serve(struct connection *connection) {
    ssize_t got = recv(connection->socket, connection->buffer + connection->held, BUFFER_BYTES - connection->held - 1, 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return 1;
    if (got <= 0) return 0;
    connection->held += (size_t)got;
    connection->buffer[connection->held] = 0;               // numbers are read with strtol
    for (;;) {
        struct request request;
        long taken = parse(connection->buffer, connection->held, &request);
        if (taken < 0) return 0;
        if (taken == 0) return connection->held < BUFFER_BYTES - 1;
        if (request.arguments > 0) run(connection->socket, &request);
        connection->held -= (size_t)taken;
        memmove(connection->buffer, connection->buffer + taken, connection->held + 1);
    }
}

static int queues[THREADS];

static void *work(void *queue) {
    for (;;) {
        struct epoll_event event;
        if (epoll_wait(*(int *)queue, &event, 1, -1) < 1) continue;
        struct connection *connection = event.data.ptr;
        if (serve(connection)) continue;
        close(connection->socket);
        free(connection);
    }
    return NULL;
}

int main(int count, char **arguments) {
    int yes = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (count != 2 || (address.sin_port = htons((unsigned short)atoi(arguments[1]))) == 0) {
        fprintf(stderr, "usage: teller PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 64) != 0) {
        perror("teller");
        return 1;
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        queues[i] = epoll_create1(EPOLL_CLOEXEC);
        if (pthread_create(&thread, NULL, work, &queues[i]) != 0) return 1;
    }
    for (unsigned next = 0;; next++) {
        int socket = accept(listener, NULL, NULL);
        if (socket < 0) continue;
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct connection *connection = malloc(sizeof *connection);
        if (connection == NULL) { close(socket); continue; }
        connection->socket = socket;
        connection->held = 0;
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };
        epoll_ctl(queues[next % THREADS], EPOLL_CTL_ADD, socket, &event);
    }
}
