/* Deaths around commits of the recorded state: the linker puts this before LMDB's own mdb_txn_commit().
 *
 *   FPSYNC_FAKE_COMMITS=FILE          grows by a byte with every commit, over all runs of a trial
 *   FPSYNC_FAKE_DOUBT=FILE            a run that could end because all is settled goes on, and dies if that was wrong
 *                                     (reconciler/settled.h); FILE grows by a byte with every one
 *   FPSYNC_FAKE_DIE_COMMIT=N[:after]  fpsync dies before or after the commit that makes it N bytes long */
#include <fcntl.h>
#include <lmdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reconciler/settled.h"

int __real_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn);

static long count(const char *path)
{
    struct stat counted;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, ".", 1) != 1 || fstat(fd, &counted) < 0)
        abort();
    close(fd);
    return (long)counted.st_size;
}

bool settled_is_doubted(void)
{
    const char *path = getenv("FPSYNC_FAKE_DOUBT");
    if (path && *path)
        count(path);
    return path && *path;
}

int __wrap_mdb_txn_commit(MDB_txn *txn)
{
    const char *path = getenv("FPSYNC_FAKE_COMMITS"), *fault = getenv("FPSYNC_FAKE_DIE_COMMIT");
    long number = path ? count(path) : 0;
    bool due = fault && number && strtol(fault, NULL, 10) == number, after = due && strchr(fault, ':');
    if (due && !after)
        _exit(137);
    int code = __real_mdb_txn_commit(txn);
    if (due)
        _exit(137);
    return code;
}
