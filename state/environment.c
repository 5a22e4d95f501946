/* Opening and closing the environment: folder, format, host id, and the mark of a run that is under way.
 *
 * The mark is a file "open" beside the database and not a value inside it, so that it can be read without
 * touching a page that may be damaged. It is made before the first commit of a run, and taken away by
 * state_close(): a run that changes nothing never makes it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lmdb.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/error.h"
#include "state/internal.h"

#define DATA_FILE "data.mdb"
#define OPEN_MARK "open"

static int open_folder(struct state *state, struct error *error);
static int check_modes(const struct state *state, bool *exists, struct error *error);
static int open_checked(struct state *state, bool unclean, struct error *error);
static int without_format(struct state *state, struct error *error);
static int create_meta(struct state *state, struct error *error);

int state_open(const char *folder, enum state_mode mode, struct state **state, struct error *error)
{
    struct state *opened = calloc(1, sizeof(*opened));
    if (!opened || !(opened->folder = strdup(folder))) {
        free(opened);
        return error_errno(error, -ENOMEM, "cannot open the state in %s", folder);
    }
    opened->mode = mode;
    opened->owner = getpid();
    opened->folder_fd = -1;
    bool exists = false;
    int result = open_folder(opened, error);
    if (result == 0)
        result = check_modes(opened, &exists, error);
    if (result == 0 && (exists || mode == STATE_WRITE)) {
        bool unclean = exists && faccessat(opened->folder_fd, OPEN_MARK, F_OK, 0) == 0;
        opened->marked = unclean && mode == STATE_WRITE;
        result = open_checked(opened, unclean, error);
        if (result == 0)
            result = read_host(opened, error);
    } else if (result == -ENOENT && mode == STATE_READ) {
        result = 0;
    }
    if (result < 0) {
        opened->doubtful = true; /* leaves the mark where it is */
        state_close(opened);
        return result;
    }
    *state = opened;
    return 0;
}

void state_close(struct state *state)
{
    if (!state)
        return;
    bool ours = state->owner == getpid();
    /* In a forked child the environment is the parent's: only our own copies of memory and descriptor go. */
    if (ours && state->env)
        mdb_env_close(state->env);
    if (ours && state->marked && !state->doubtful)
        unlinkat(state->folder_fd, OPEN_MARK, 0);
    if (state->folder_fd >= 0)
        close(state->folder_fd);
    arena_free(state->pending);
    free(state->folder);
    free(state);
}

size_t state_commits(const struct state *state)
{
    return state->commits;
}

void state_new_uid(char text[static 17])
{
    uint64_t number = 0;
    while (getrandom(&number, sizeof(number), 0) != sizeof(number))
        ; /* EINTR before the pool is ready */
    snprintf(text, 17, "%016" PRIx64, number);
}

int state_check_use(const struct state *state, struct error *error)
{
    if (state->owner != getpid())
        return error_set(error, -EPERM, "the state in %s was opened by process %d and may not be used by %d",
                         state->folder, (int)state->owner, (int)getpid());
    return 0;
}

int state_mark_open(struct state *state, struct error *error)
{
    if (state->marked)
        return 0;
    _cleanup_close_ int mark =
        openat(state->folder_fd, OPEN_MARK, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (mark < 0)
        return error_errno(error, -errno, "cannot make %s/" OPEN_MARK, state->folder);
    if (fsync(state->folder_fd) < 0)
        return error_errno(error, -errno, "cannot sync %s", state->folder);
    state->marked = true;
    return 0;
}

int lmdb_error(const struct state *state, int code, struct error *error, const char *doing)
{
    int as_errno = code > 0 ? -code : -EIO;
    switch (code) {
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_CURSOR_FULL:
    case MDB_PANIC:
        as_errno = -EBADMSG;
        break;
    case MDB_VERSION_MISMATCH:
        as_errno = -EPROTO;
        break;
    case MDB_READERS_FULL:
        as_errno = -EBUSY;
        break;
    case MDB_MAP_FULL:
        as_errno = -ENOSPC;
        break;
    }
    return error_set(error, as_errno, "cannot %s the state in %s: %s", doing, state->folder,
                     mdb_strerror(code));
}

int open_environment(struct state *state, struct error *error)
{
    int code = mdb_env_create(&state->env);
    if (code)
        return lmdb_error(state, code, error, "open");
    mdb_env_set_maxdbs(state->env, DB_COUNT);
    unsigned flags = MDB_NOTLS | (state->mode == STATE_READ ? MDB_RDONLY : 0);
    /* 0 takes the size that the file names; a new one gets our start. */
    struct stat data;
    if (state->mode == STATE_WRITE && (fstatat(state->folder_fd, DATA_FILE, &data, 0) < 0 || !data.st_size))
        mdb_env_set_mapsize(state->env, STATE_MAP_START);
    code = mdb_env_open(state->env, state->folder, flags, 0600);
    if (code) {
        mdb_env_close(TAKE_PTR(state->env));
        return lmdb_error(state, code, error, "open");
    }
    if (state->mode == STATE_WRITE) {
        int dead;
        mdb_reader_check(state->env, &dead); /* slots of killed readers would keep old pages for ever */
    }
    return 0;
}

/* Makes what is missing on the way: 0711 above (guests pass through), 0700 for the folder itself. */
static int make_folder(const char *folder, struct error *error)
{
    if (access(folder, F_OK) == 0)
        return 0; /* a run with nothing to do makes no mutating call, not even one that fails */
    _cleanup_free_ char *path = strdup(folder);
    if (!path)
        return error_errno(error, -ENOMEM, "cannot make %s", folder);
    for (char *slash = path + 1;; slash++) {
        bool last = *slash == '\0';
        if (!last && *slash != '/')
            continue;
        *slash = '\0';
        mode_t mode = last ? 0700 : 0711;
        if (mkdir(path, mode) == 0)
            chmod(path, mode); /* whatever the umask is */
        else if (errno != EEXIST)
            return error_errno(error, -errno, "cannot make %s", path);
        if (last)
            return 0;
        *slash = '/';
    }
}

static int open_folder(struct state *state, struct error *error)
{
    if (state->mode == STATE_WRITE) {
        int result = make_folder(state->folder, error);
        if (result < 0)
            return result;
    }
    state->folder_fd = open(state->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (state->folder_fd < 0)
        return error_errno(error, -errno, "cannot open %s", state->folder);
    return 0;
}

static int check_mode(const struct state *state, const struct stat *entry, const char *what,
                      struct error *error)
{
    if (entry->st_uid != geteuid() && entry->st_uid != 0)
        return error_set(error, -EPERM, "%s%s belongs to uid %u", state->folder, what,
                         (unsigned)entry->st_uid);
    if (entry->st_mode & 022)
        return error_set(error, -EPERM, "%s%s may be written by others (mode %04o)", state->folder, what,
                         (unsigned)entry->st_mode & 07777);
    return 0;
}

/* Whoever else can write these files decides what we do as root. */
static int check_modes(const struct state *state, bool *exists, struct error *error)
{
    struct stat entry;
    if (fstat(state->folder_fd, &entry) < 0)
        return error_errno(error, -errno, "cannot look at %s", state->folder);
    int result = check_mode(state, &entry, "", error);
    if (result < 0)
        return result;
    if (fstatat(state->folder_fd, DATA_FILE, &entry, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno != ENOENT)
            return error_errno(error, -errno, "cannot look at %s/" DATA_FILE, state->folder);
        *exists = false;
        return 0;
    }
    if (!S_ISREG(entry.st_mode))
        return error_set(error, -EPERM, "%s/" DATA_FILE " is not a plain file", state->folder);
    *exists = entry.st_size > 0; /* a writer that died in its first microseconds leaves an empty one */
    return check_mode(state, &entry, "/" DATA_FILE, error);
}

/* True when the file ends before the last page that it names. That may be sound (a page that was taken and given
 * back in one transaction is never written), and it may be a cut that is SIGBUS for whoever reads on. */
static bool is_short(const struct state *state)
{
    MDB_envinfo info;
    MDB_stat stat;
    struct stat data;
    if (mdb_env_info(state->env, &info) || mdb_env_stat(state->env, &stat) ||
        fstatat(state->folder_fd, DATA_FILE, &data, 0) < 0)
        return true;
    return (uint64_t)data.st_size < ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
}

static int open_checked(struct state *state, bool unclean, struct error *error)
{
    int result = 0;
    if (unclean)
        result = probe_database(state->folder, error);
    if (result == 0)
        result = open_environment(state, error);
    if (result < 0 || unclean || !is_short(state))
        return result;
    mdb_env_close(TAKE_PTR(state->env));
    result = probe_database(state->folder, error);
    return result < 0 ? result : open_environment(state, error);
}

/* ---- meta: what kind of database this is, and whose ---- */

int read_host(struct state *state, struct error *error)
{
    MDB_txn *txn;
    int result = read_begin(state, &txn, error);
    if (result < 0)
        return result;
    struct span value, format, host;
    result = read_one(state, txn, DB_META, "format", &value, error);
    if (result == -ENOENT) {
        read_end(txn);
        return without_format(state, error);
    }
    if (result == 0)
        result = value_open("meta/format", value, &format, error);
    uint32_t number = 0;
    if (result == 0 && format.size != sizeof(number))
        result = error_set(error, -EBADMSG, "meta/format: damaged: %zu bytes", format.size);
    if (result == 0) {
        const unsigned char *bytes = format.data;
        number = bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
        if (number > STATE_FORMAT)
            result =
                error_set(error, -EPROTO,
                          "the state in %s has format %u, this fpsync knows up to %u: install a newer fpsync",
                          state->folder, number, STATE_FORMAT);
        else if (number == 0)
            result = error_set(error, -EBADMSG, "meta/format: damaged: 0");
    }
    if (result == 0)
        result = read_one(state, txn, DB_META, "host", &value, error);
    if (result == -ENOENT)
        result = error_set(error, -EBADMSG, "meta/host: missing");
    if (result == 0)
        result = value_open("meta/host", value, &host, error);
    if (result == 0 && host.size != 16)
        result = error_set(error, -EBADMSG, "meta/host: damaged: %zu bytes", host.size);
    if (result == 0)
        memcpy(state->host, host.data, 16);
    read_end(txn);
    return result;
}

/* A database that never saw a commit is new, or its maker died early; any other has lost its pages. */
static int without_format(struct state *state, struct error *error)
{
    MDB_envinfo info;
    int code = mdb_env_info(state->env, &info);
    if (code)
        return lmdb_error(state, code, error, "read");
    if (info.me_last_txnid > 0)
        return error_set(error, -EBADMSG, "the state in %s is damaged: it has no format", state->folder);
    return state->mode == STATE_WRITE ? create_meta(state, error) : 0;
}

static int create_meta(struct state *state, struct error *error)
{
    const unsigned char format[4] = {STATE_FORMAT & 255, STATE_FORMAT >> 8 & 255, STATE_FORMAT >> 16 & 255,
                                     STATE_FORMAT >> 24};
    char host[17];
    state_new_uid(host);
    _cleanup_buffer_ struct buffer format_value = {0}, host_value = {0};
    value_seal(format, sizeof(format), &format_value);
    value_seal(host, 16, &host_value);
    const struct operation operations[] = {
        {.database = DB_META,
         .verb = OPERATION_PUT,
         .key = {"format", 6},
         .value = {format_value.bytes, format_value.length}},
        {.database = DB_META,
         .verb = OPERATION_PUT,
         .key = {"host", 4},
         .value = {host_value.bytes, host_value.length}},
    };
    int result = run_operations(state, operations, 2, error);
    if (result < 0)
        return result;
    memcpy(state->host, host, sizeof(state->host));
    return 0;
}
