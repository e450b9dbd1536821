/* A disk that fails or a process that dies at one chosen call to the storage, for tests alone (LD_PRELOAD).

   Every call that changes what lies under one folder is counted, whichever library makes it: Python, SQLite, DuckDB,
   Arrow, or the Rust of deltalake. At the call chosen by `fault_at` the process is killed, or the call answers with an
   error, once or from then on. State is shared with forked children, so that their parent can read what they counted. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CALLS = 20000, NAME = 160, FOLDERS = 2 };
static struct state {
    atomic_long seen;                /* calls so far */
    long at;                         /* the call that fails, from 1; 0: none */
    int error;                       /* what it answers; 0: the process is killed */
    int lasting;                     /* every later call fails too */
    char folder[FOLDERS][PATH_MAX];  /* where calls are counted */
    char calls[CALLS][NAME];         /* what each call was */
} *S;

__attribute__((constructor)) static void begin(void) {
    S = mmap(NULL, sizeof *S, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (S == MAP_FAILED) abort();
}

void fault_at(const char *folder, const char *other, long at, int error, int lasting) {
    snprintf(S->folder[0], PATH_MAX, "%s", folder);
    snprintf(S->folder[1], PATH_MAX, "%s", other);
    S->at = at, S->error = error, S->lasting = lasting;
    atomic_store(&S->seen, 0);
}
long fault_seen(void) { return atomic_load(&S->seen); }
const char *fault_call(long number) { return number > 0 && number <= CALLS ? S->calls[number - 1] : ""; }

static int within(const char *path) {
    for (int i = 0; i < FOLDERS; i++) {
        size_t n = strlen(S->folder[i]);
        if (n && !strncmp(path, S->folder[i], n) && (path[n] == '/' || !path[n])) return 1;
    }
    return 0;
}

static const char *of_fd(int fd, char *out) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, out, PATH_MAX - 1);
    out[n < 0 ? 0 : n] = 0;
    return out;
}

static const char *of_path(int folder, const char *path, char *out) {
    if (path[0] == '/') return path;
    char base[PATH_MAX];
    if (folder == AT_FDCWD) { if (!getcwd(base, sizeof base)) base[0] = 0; }
    else of_fd(folder, base);
    snprintf(out, 2 * PATH_MAX, "%s/%s", base, path);
    return out;
}

/* 0: the call goes on; else the error that it answers. `first`: this is the very call that was chosen. */
static int fault(const char *what, const char *path, int *first) {
    if (!S || !S->folder[0][0] || !within(path)) return 0;
    long n = atomic_fetch_add(&S->seen, 1) + 1;
    size_t long_ = strlen(path);
    if (n <= CALLS) snprintf(S->calls[n - 1], NAME, "%s %s", what, long_ > 120 ? path + long_ - 120 : path);
    if (!S->at || n < S->at || (n > S->at && !S->lasting)) return 0;
    if (S->error == ENOSPC && (!strcmp(what, "unlink") || !strcmp(what, "rmdir"))) return 0; /* a full disk lets go */
    if (first) *first = n == S->at;
    if (S->error || !first) { /* a write is torn before its process dies */
        if (!S->error) kill(getpid(), SIGKILL);
        return S->error;
    }
    return -1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define PATHS char _buffer[2 * PATH_MAX]; int _error

#define ON_FD(what, fd, failed)                                                   \
    do {                                                                          \
        PATHS;                                                                    \
        if ((_error = fault(what, of_fd(fd, _buffer), NULL))) { errno = _error; return failed; } \
    } while (0)
#define ON_PATH(what, folder, path)                                               \
    do {                                                                          \
        PATHS;                                                                    \
        if ((_error = fault(what, of_path(folder, path, _buffer), NULL))) { errno = _error; return -1; } \
    } while (0)

#define OPENING(name, folder, path, flags, call)                                  \
    mode_t mode = 0;                                                              \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); } \
    if (flags & (O_CREAT | O_TRUNC)) ON_PATH("open", folder, path);               \
    return call;
int open(const char *path, int flags, ...) { OPENING(open, AT_FDCWD, path, flags, REAL(open)(path, flags, mode)) }
int open64(const char *path, int flags, ...) { OPENING(open64, AT_FDCWD, path, flags, REAL(open64)(path, flags, mode)) }
int openat(int at, const char *path, int flags, ...) { OPENING(openat, at, path, flags, REAL(openat)(at, path, flags, mode)) }
int openat64(int at, const char *path, int flags, ...) { OPENING(openat64, at, path, flags, REAL(openat64)(at, path, flags, mode)) }

/* The chosen write is torn: half of it is there before the process dies or the disk is full. */
#define WRITING(fd, size, half, whole)                                            \
    PATHS; int first = 0;                                                         \
    if ((_error = fault("write", of_fd(fd, _buffer), &first))) {                  \
        if (_error == EIO || !first || size < 2) { if (_error > 0) { errno = _error; return -1; } } \
        else { ssize_t done = half; if (_error > 0) return done; }                \
        if (_error < 0) kill(getpid(), SIGKILL);                                  \
        errno = EIO; return -1;                                                   \
    }                                                                             \
    return whole;
ssize_t write(int fd, const void *data, size_t size) { WRITING(fd, size, REAL(write)(fd, data, size / 2), REAL(write)(fd, data, size)) }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { WRITING(fd, size, REAL(pwrite)(fd, data, size / 2, at), REAL(pwrite)(fd, data, size, at)) }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { WRITING(fd, size, REAL(pwrite64)(fd, data, size / 2, at), REAL(pwrite64)(fd, data, size, at)) }
ssize_t writev(int fd, const struct iovec *parts, int count) { WRITING(fd, count, REAL(writev)(fd, parts, count / 2), REAL(writev)(fd, parts, count)) }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { WRITING(fd, count, REAL(pwritev)(fd, parts, count / 2, at), REAL(pwritev)(fd, parts, count, at)) }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) { WRITING(fd, count, REAL(pwritev64)(fd, parts, count / 2, at), REAL(pwritev64)(fd, parts, count, at)) }

int fsync(int fd) { ON_FD("fsync", fd, -1); return REAL(fsync)(fd); }
int fdatasync(int fd) { ON_FD("fsync", fd, -1); return REAL(fdatasync)(fd); }
int ftruncate(int fd, off_t size) { ON_FD("truncate", fd, -1); return REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { ON_FD("truncate", fd, -1); return REAL(ftruncate64)(fd, size); }
int fallocate(int fd, int mode, off_t at, off_t size) { ON_FD("allocate", fd, -1); return REAL(fallocate)(fd, mode, at, size); }
int fallocate64(int fd, int mode, off64_t at, off64_t size) { ON_FD("allocate", fd, -1); return REAL(fallocate64)(fd, mode, at, size); }
ssize_t copy_file_range(int from, off64_t *a, int to, off64_t *b, size_t n, unsigned f) { ON_FD("write", to, -1); return REAL(copy_file_range)(from, a, to, b, n, f); }

int rename(const char *from, const char *to) { ON_PATH("rename", AT_FDCWD, to); return REAL(rename)(from, to); }
int renameat(int a, const char *from, int b, const char *to) { ON_PATH("rename", b, to); return REAL(renameat)(a, from, b, to); }
int renameat2(int a, const char *from, int b, const char *to, unsigned f) { ON_PATH("rename", b, to); return REAL(renameat2)(a, from, b, to, f); }
int link(const char *from, const char *to) { ON_PATH("link", AT_FDCWD, to); return REAL(link)(from, to); }
int linkat(int a, const char *from, int b, const char *to, int f) { ON_PATH("link", b, to); return REAL(linkat)(a, from, b, to, f); }
int unlink(const char *path) { ON_PATH("unlink", AT_FDCWD, path); return REAL(unlink)(path); }
int unlinkat(int at, const char *path, int f) { ON_PATH("unlink", at, path); return REAL(unlinkat)(at, path, f); }
int rmdir(const char *path) { ON_PATH("rmdir", AT_FDCWD, path); return REAL(rmdir)(path); }
int mkdir(const char *path, mode_t mode) { ON_PATH("mkdir", AT_FDCWD, path); return REAL(mkdir)(path, mode); }
int mkdirat(int at, const char *path, mode_t mode) { ON_PATH("mkdir", at, path); return REAL(mkdirat)(at, path, mode); }
