// The ordinary client of a daemon: connects, sends what LOAD_SEND says, reads until LOAD_EXPECT comes, closes.
// LOAD_PORT port on 127.0.0.1; LOAD_SEND and LOAD_EXPECT with \r \n \xHH; LOAD_KEEP=1 keeps a connection for 50 requests.
#include "harness.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { TextBytes = 4096, ReplyBytes = 65536, RequestsAConnection = 50, TimeoutSeconds = 10, ThreadsMax = 64 };

static unsigned char send_[TextBytes], expect[TextBytes];
static size_t send_bytes, expect_bytes;
static int port, keep;

static size_t unescape(const char *text, unsigned char *into) {
    size_t n = 0;
    for (; *text && n < TextBytes; text++) {
        unsigned value;
        if (text[0] != '\\') { into[n++] = (unsigned char)*text; continue; }
        text++;
        if (*text == 'r') into[n++] = '\r';
        else if (*text == 'n') into[n++] = '\n';
        else if (*text == 'x' && sscanf(text + 1, "%2x", &value) == 1) { into[n++] = (unsigned char)value; text += 2; }
        else into[n++] = (unsigned char)*text;
    }
    return n;
}

static const char *setting(const char *name) {
    const char *value = getenv(name);
    if (value == NULL) { fprintf(stderr, "%s is not set\n", name); exit(2); }
    return value;
}

void prepare(void) {
    port = atoi(setting("LOAD_PORT"));
    send_bytes = unescape(setting("LOAD_SEND"), send_);
    expect_bytes = unescape(setting("LOAD_EXPECT"), expect);
    keep = getenv("LOAD_KEEP") != NULL;
}

static int connect_once(void) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval timeout = { .tv_sec = TimeoutSeconds };
    int socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (connect(socket_, (struct sockaddr *)&address, sizeof address) == 0) return socket_;
    close(socket_);
    return -1;
}

static const char *exchange(int socket_) {
    unsigned char reply[ReplyBytes];
    size_t have = 0;
    if (send(socket_, send_, send_bytes, MSG_NOSIGNAL) != (ssize_t)send_bytes) return "could not send";
    while (have < sizeof reply) {
        ssize_t got = recv(socket_, reply + have, sizeof reply - have, 0);
        if (got < 0) return "no answer in time";
        if (got == 0) return "closed before the answer was whole";
        have += (size_t)got;
        if (memmem(reply, have, expect, expect_bytes) != NULL) return NULL;
    }
    return "another answer";
}

const char *work(int thread) {
    static int sockets[ThreadsMax], used[ThreadsMax];
    int socket_ = sockets[thread];
    if (socket_ == 0 && (socket_ = connect_once()) < 0) return "could not connect";
    const char *wrong = exchange(socket_);
    if (keep && wrong == NULL && ++used[thread] < RequestsAConnection) { sockets[thread] = socket_; return NULL; }
    close(socket_);
    sockets[thread] = used[thread] = 0;
    return wrong;
}

// The proof of a daemon is asked of the daemon, by its fix.sh.
void probe(char *answer, size_t room) { snprintf(answer, room, "no library here"); }
