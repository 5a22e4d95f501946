/* The digest of a file that still grows, by a thread that reads it behind its writer: so it is over what is stored, parts
 * of earlier runs included, and neither who receives nor the network waits for it. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "drivers/image/fetch/get.h"
#include "lib/digest.h"
#include "lib/error.h"

#define PIECE_SIZE                                                                                           \
    ((size_t)256 * 1024) /* also what it is woken for: less would cost more to say than to hash */

struct hashing {
    int file;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t stored; /* of the file; all below stays as it is */
    int64_t told;   /* `stored`, the last time that it was woken */
    int64_t hashed;
    bool ended; /* nothing more comes */
    int result;
    struct digest *digest;
    unsigned char piece[PIECE_SIZE];
};

static int read_piece(struct hashing *hashing, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got =
            pread(hashing->file, hashing->piece + done, size - done, hashing->hashed + (int64_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EIO; /* somebody has cut it */
        done += (size_t)got;
    }
    return 0;
}

/* With the lock, which is let go meanwhile. */
static void hash_piece(struct hashing *hashing, size_t size)
{
    pthread_mutex_unlock(&hashing->lock);
    int result = read_piece(hashing, size);
    if (result == 0)
        digest_add(hashing->digest, hashing->piece, size);
    pthread_mutex_lock(&hashing->lock);
    hashing->hashed += (int64_t)size;
    hashing->result = result;
    if (result < 0 || hashing->hashed == hashing->stored)
        pthread_cond_broadcast(&hashing->changed);
}

static void *follow(void *context)
{
    struct hashing *hashing = context;
    pthread_mutex_lock(&hashing->lock);
    for (;;) {
        int64_t rest = hashing->stored - hashing->hashed;
        if (hashing->result < 0 || (hashing->ended && rest == 0))
            break;
        if (rest >= (int64_t)PIECE_SIZE || (rest > 0 && hashing->told == hashing->stored))
            hash_piece(hashing, rest < (int64_t)PIECE_SIZE ? (size_t)rest : PIECE_SIZE);
        else
            pthread_cond_wait(&hashing->changed, &hashing->lock);
    }
    pthread_mutex_unlock(&hashing->lock);
    return NULL;
}

struct hashing *hashing_start(int file, struct error *error)
{
    struct hashing *hashing = calloc(1, sizeof(*hashing));
    if (!hashing) {
        error_set(error, -ENOMEM, "cannot begin a digest");
        return NULL;
    }
    hashing->file = file;
    hashing->digest = digest_new();
    pthread_mutex_init(&hashing->lock, NULL);
    pthread_cond_init(&hashing->changed, NULL);
    int code = pthread_create(&hashing->thread, NULL, follow, hashing);
    if (code == 0)
        return hashing;
    error_errno(error, -code, "cannot start a thread");
    digest_free(hashing->digest);
    free(hashing);
    return NULL;
}

static void wake(struct hashing *hashing)
{
    hashing->told = hashing->stored;
    pthread_cond_broadcast(&hashing->changed);
}

void hashing_follow(struct hashing *hashing, int64_t stored)
{
    pthread_mutex_lock(&hashing->lock);
    hashing->stored = stored;
    if (stored - hashing->told >= (int64_t)PIECE_SIZE)
        wake(hashing);
    pthread_mutex_unlock(&hashing->lock);
}

/* With the lock. */
static int catch_up(struct hashing *hashing)
{
    wake(hashing);
    while (hashing->result == 0 && hashing->hashed < hashing->stored)
        pthread_cond_wait(&hashing->changed, &hashing->lock);
    return hashing->result;
}

int hashing_restart(struct hashing *hashing, struct error *error)
{
    pthread_mutex_lock(&hashing->lock);
    int result = catch_up(hashing);
    digest_free(hashing->digest);
    hashing->digest = digest_new();
    hashing->stored = hashing->told = hashing->hashed = 0;
    pthread_mutex_unlock(&hashing->lock);
    return result < 0 ? error_errno(error, result, "cannot read what is stored") : 0;
}

int hashing_end(struct hashing *hashing, char digest[static DIGEST_TEXT_SIZE], struct error *error)
{
    pthread_mutex_lock(&hashing->lock);
    hashing->ended = true;
    int result = catch_up(hashing);
    pthread_cond_broadcast(&hashing->changed);
    pthread_mutex_unlock(&hashing->lock);
    pthread_join(hashing->thread, NULL);
    digest_finish(hashing->digest, digest);
    digest_free(hashing->digest);
    pthread_cond_destroy(&hashing->changed);
    pthread_mutex_destroy(&hashing->lock);
    free(hashing);
    return result < 0 ? error_errno(error, result, "cannot read what is stored") : 0;
}
