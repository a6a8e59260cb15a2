/*
 * Lets the N-th call that changes files below one directory fail, or die, in a process that is started with
 * LD_PRELOAD. Unlike a debugger's counters this one is shared by all threads, so that the calls of a run have one
 * order and every N means one of them.
 *
 *   NERIF_FAULT_ROOT    calls on files below this directory count
 *   NERIF_FAULT_SUFFIX  only those whose path ends so; default all
 *   NERIF_FAULT_CALLS   names of calls that count, with commas around each (",fsync,fdatasync,"); default all
 *   NERIF_FAULT_AT      the number of the call, from 1
 *   NERIF_FAULT_ACTION  kill: dies in its place; torn: writes half and dies; short: writes half and says so;
 *                       eio, enospc: fails
 *   NERIF_FAULT_LOG     gets a line for each call that counts: number, name, path
 *   NERIF_FAULT_SHADOW  a directory that is kept as the disk is sure to be after a power cut, at its worst: a file has
 *                       the bytes of its last sync, a directory the names of its last sync, and nothing else is there.
 *                       f<inode> holds a file's bytes, d<inode> a line for each name: f or d, inode, name
 */
#define _GNU_SOURCE
#include <dirent.h>
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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum action { NONE, KILL, TORN, SHORT, FAIL };

static const char *root;
static const char *suffix;
static const char *calls;
static const char *shadow;
static long at;
static enum action wanted;
static int failure;
static int log_fd = -1;
static atomic_long count;

__attribute__((constructor)) static void begin(void) {
  const char *action = getenv("NERIF_FAULT_ACTION");
  const char *number = getenv("NERIF_FAULT_AT");
  const char *log = getenv("NERIF_FAULT_LOG");
  root = getenv("NERIF_FAULT_ROOT");
  suffix = getenv("NERIF_FAULT_SUFFIX");
  calls = getenv("NERIF_FAULT_CALLS");
  shadow = getenv("NERIF_FAULT_SHADOW");
  at = number ? atol(number) : 0;
  if (action && !strcmp(action, "kill")) wanted = KILL;
  if (action && !strcmp(action, "torn")) wanted = TORN;
  if (action && !strcmp(action, "short")) wanted = SHORT;
  if (action && !strcmp(action, "eio")) wanted = FAIL, failure = EIO;
  if (action && !strcmp(action, "enospc")) wanted = FAIL, failure = ENOSPC;
  if (log) log_fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void die(void) {
  syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
  for (;;) pause();
}

static int is_below_root(const char *path) {
  size_t length = root ? strlen(root) : 0;
  return length > 0 && !strncmp(path, root, length) && (path[length] == '/' || path[length] == 0);
}

static void shadow_name(char *name, char kind, unsigned long inode) {
  snprintf(name, PATH_MAX, "%s/%c%lu", shadow, kind, inode);
}

/* By system calls, which are nobody's to count. */
static void write_all(int fd, const char *bytes, ssize_t size) {
  while (size > 0) {
    ssize_t taken = syscall(SYS_write, fd, bytes, size);
    if (taken <= 0) abort();
    bytes += taken;
    size -= taken;
  }
}

static void shadow_file(int fd, int to) {
  char bytes[65536], link[64];
  int from = fd;
  /* Read through the descriptor itself where it allows that: closing another one would drop the locks of SQLite. */
  if (pread(fd, bytes, 1, 0) < 0) {
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    from = syscall(SYS_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC, 0);
  }
  ssize_t size;
  for (off_t offset = 0; (size = pread(from, bytes, sizeof bytes, offset)) > 0; offset += size) write_all(to, bytes, size);
  if (from != fd) syscall(SYS_close, from);
}

static void shadow_directory(int fd, int to) {
  char link[64], line[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  DIR *directory = opendir(link);
  struct dirent *entry;
  while (directory && (entry = readdir(directory))) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    char kind = entry->d_type == DT_DIR ? 'd' : 'f';
    write_all(to, line, snprintf(line, sizeof line, "%c %lu %s\n", kind, (unsigned long)entry->d_ino, entry->d_name));
  }
  if (directory) closedir(directory);
}

/* Before the sync itself: what comes between need not be on the disk. */
static void shadow_sync(int fd) {
  struct stat found;
  char name[PATH_MAX], part[PATH_MAX + 24];
  if (!shadow || fstat(fd, &found) != 0) return;
  shadow_name(name, S_ISDIR(found.st_mode) ? 'd' : 'f', found.st_ino);
  snprintf(part, sizeof part, "%s.%ld", name, syscall(SYS_gettid));
  int to = syscall(SYS_openat, AT_FDCWD, part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (S_ISDIR(found.st_mode)) shadow_directory(fd, to);
  else shadow_file(fd, to);
  syscall(SYS_close, to);
  syscall(SYS_renameat, AT_FDCWD, part, AT_FDCWD, name);
}

/* Something is about to lose its name. It is kept open, so that nothing new gets its inode's number. */
static void shadow_hold(int directory, const char *path) {
  if (shadow) syscall(SYS_openat, directory, path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
}

static int has_suffix(const char *path) {
  size_t length = strlen(path), wanted_length = suffix ? strlen(suffix) : 0;
  return length >= wanted_length && !strcmp(path + length - wanted_length, suffix ? suffix : "");
}

/* What is to happen to this call. */
static enum action judge(const char *name, const char *path) {
  if (!is_below_root(path) || !has_suffix(path)) return NONE;
  if (calls && *calls) {
    char entry[64];
    snprintf(entry, sizeof entry, ",%s,", name);
    if (!strstr(calls, entry)) return NONE;
  }
  long number = atomic_fetch_add(&count, 1) + 1;
  if (log_fd >= 0) {
    char line[PATH_MAX + 80];
    int length = snprintf(line, sizeof line, "%ld %s %s\n", number, name, path);
    syscall(SYS_write, log_fd, line, length);
  }
  if (number != at) return NONE;
  if (wanted == KILL) die();
  if (wanted == FAIL) errno = failure;
  return wanted;
}

static enum action judge_fd(const char *name, int fd) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
  if (length <= 0) return NONE;
  path[length] = 0;
  return judge(name, path);
}

static enum action judge_at(const char *name, int directory, const char *path) {
  if (directory == AT_FDCWD || path[0] == '/') return judge(name, path);
  return judge_fd(name, directory);
}

#define REAL(name) \
  static __typeof__(name) *real; \
  if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#define PLAIN(name, judged, before, parameters, arguments) \
  int name parameters { \
    REAL(name); \
    if (judged == FAIL) return -1; \
    before; \
    return real arguments; \
  }

PLAIN(fsync, judge_fd("fsync", fd), shadow_sync(fd), (int fd), (fd))
PLAIN(fdatasync, judge_fd("fdatasync", fd), shadow_sync(fd), (int fd), (fd))
PLAIN(ftruncate, judge_fd("ftruncate", fd), , (int fd, off_t length), (fd, length))
PLAIN(ftruncate64, judge_fd("ftruncate", fd), , (int fd, off64_t length), (fd, length))
PLAIN(rename, judge("rename", to), shadow_hold(AT_FDCWD, to), (const char *from, const char *to), (from, to))
PLAIN(unlink, judge("unlink", path), shadow_hold(AT_FDCWD, path), (const char *path), (path))
PLAIN(unlinkat, judge_at("unlink", fd, path), shadow_hold(fd, path), (int fd, const char *path, int flags),
      (fd, path, flags))
PLAIN(rmdir, judge("rmdir", path), shadow_hold(AT_FDCWD, path), (const char *path), (path))
PLAIN(mkdir, judge("mkdir", path), , (const char *path, mode_t mode), (path, mode))
PLAIN(link, judge("link", to), , (const char *from, const char *to), (from, to))

/* Half of the bytes, at least one. */
static size_t half(size_t bytes) { return bytes < 2 ? bytes : bytes / 2; }

#define WRITE(name, parameters, whole, part) \
  ssize_t name parameters { \
    REAL(name); \
    enum action action = judge_fd("write", fd); \
    if (action == FAIL) return -1; \
    if (action == NONE) return whole; \
    ssize_t written = part; \
    if (action == TORN) die(); \
    return written; \
  }

WRITE(write, (int fd, const void *bytes, size_t size), real(fd, bytes, size), real(fd, bytes, half(size)))
WRITE(pwrite, (int fd, const void *bytes, size_t size, off_t offset), real(fd, bytes, size, offset),
      real(fd, bytes, half(size), offset))
WRITE(pwrite64, (int fd, const void *bytes, size_t size, off64_t offset), real(fd, bytes, size, offset),
      real(fd, bytes, half(size), offset))
/* Of several buffers the first half of the first one. */
WRITE(writev, (int fd, const struct iovec *buffers, int size), real(fd, buffers, size),
      write(fd, buffers[0].iov_base, half(buffers[0].iov_len)))
WRITE(pwritev, (int fd, const struct iovec *buffers, int size, off_t offset), real(fd, buffers, size, offset),
      syscall(SYS_pwrite64, fd, buffers[0].iov_base, half(buffers[0].iov_len), offset))
WRITE(pwritev64, (int fd, const struct iovec *buffers, int size, off64_t offset), real(fd, buffers, size, offset),
      syscall(SYS_pwrite64, fd, buffers[0].iov_base, half(buffers[0].iov_len), offset))

static int creates(int flags, const char *path) {
  return (flags & O_CREAT) && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) != 0;
}

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    REAL(name); \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    if (creates(flags, path) && judge("create", path) == FAIL) return -1; \
    return real(path, flags, mode); \
  }

OPEN(open)
OPEN(open64)
