/* Reading and decompressing in a thread of its own: it goes ahead of whoever takes the blocks by a ring of them. */
#include <archive.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/image/fetch/unpack.h"
#include "lib/error.h"

#define READ_SIZE  ((size_t)128 * 1024)
#define BLOCK_SIZE ((size_t)256 * 1024)
#define BLOCKS     8

struct decoder {
    int input;
    int64_t size; /* of the archive's file; 0: not known */
    char *bytes;  /* as read */
    struct digest *read_digest, *decoded_digest;
    char read_text[DIGEST_TEXT_SIZE], decoded_text[DIGEST_TEXT_SIZE];
    int64_t decoded;      /* the thread's own count */
    _Atomic int64_t read; /* of the input */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct {
        char *bytes;
        size_t size;
    } ring[BLOCKS];
    size_t filled,
        taken; /* counts: the blocks between them are full; the one before `taken` is the caller's */
    bool started, ended, stopped;
    struct error error; /* how it ended */
};

/* ---- the thread ---- */

static la_ssize_t read_input(struct archive *archive, void *context, const void **bytes)
{
    struct decoder *decoder = context;
    ssize_t got;
    while ((got = read(decoder->input, decoder->bytes, READ_SIZE)) < 0 && errno == EINTR)
        ;
    if (got < 0) {
        archive_set_error(archive, errno, "cannot read the archive: %s", strerror(errno));
        return -1;
    }
    if (decoder->read_digest)
        digest_add(decoder->read_digest, decoder->bytes, (size_t)got);
    atomic_fetch_add(&decoder->read, got);
    *bytes = decoder->bytes;
    return got;
}

/* Waits for an empty place. False: nobody wants more. */
static bool wait_for_place(struct decoder *decoder)
{
    pthread_mutex_lock(&decoder->lock);
    /* One is still in the caller's hands. */
    while (!decoder->stopped && decoder->filled - decoder->taken >= BLOCKS - 1)
        pthread_cond_wait(&decoder->changed, &decoder->lock);
    bool wanted = !decoder->stopped;
    pthread_mutex_unlock(&decoder->lock);
    return wanted;
}

static void hand_over(struct decoder *decoder)
{
    pthread_mutex_lock(&decoder->lock);
    decoder->filled++;
    pthread_cond_broadcast(&decoder->changed);
    pthread_mutex_unlock(&decoder->lock);
}

/* Fills a block as far as there is something; its size, or -errno. */
static int64_t fill_block(struct decoder *decoder, struct archive *archive, char *block)
{
    la_ssize_t got = archive_read_data(archive, block, BLOCK_SIZE);
    if (got < 0) {
        const char *text = archive_error_string(archive);
        return error_set(&decoder->error, -EBADMSG, "%s", text ? text : "damaged archive");
    }
    if (decoder->decoded_digest)
        digest_add(decoder->decoded_digest, block, (size_t)got);
    decoder->decoded += got;
    if (decoder->decoded > RATIO_FROM && decoder->decoded / RATIO_LIMIT > atomic_load(&decoder->read))
        return error_set(&decoder->error, -EBADMSG, "the archive unpacks to more than 200 times its size");
    return got;
}

static void decode(struct decoder *decoder, struct archive *archive)
{
    struct archive_entry *entry;
    archive_read_support_format_raw(archive);
    archive_read_support_format_empty(archive);
    archive_read_support_filter_gzip(archive);
    archive_read_support_filter_bzip2(archive);
    archive_read_support_filter_xz(archive);
    archive_read_support_filter_zstd(archive);
    int status = archive_read_open(archive, decoder, NULL, read_input, NULL);
    if (status == ARCHIVE_OK)
        status = archive_read_next_header(archive, &entry);
    if (status == ARCHIVE_EOF)
        return;
    if (status != ARCHIVE_OK) {
        const char *text = archive_error_string(archive);
        error_set(&decoder->error, -EBADMSG, "%s", text ? text : "damaged archive");
        return;
    }
    while (wait_for_place(decoder)) {
        size_t at = decoder->filled % BLOCKS;
        int64_t size = fill_block(decoder, archive, decoder->ring[at].bytes);
        if (size <= 0)
            break;
        decoder->ring[at].size = (size_t)size;
        hand_over(decoder);
    }
}

/* The decompressor may stop before the end of what there is. */
static void read_rest(struct decoder *decoder)
{
    ssize_t got;
    while ((got = read(decoder->input, decoder->bytes, READ_SIZE)) > 0)
        digest_add(decoder->read_digest, decoder->bytes, (size_t)got);
}

static void *run(void *context)
{
    struct decoder *decoder = context;
    pthread_mutex_lock(&decoder->lock);
    decoder->started = true;
    pthread_cond_broadcast(&decoder->changed);
    pthread_mutex_unlock(&decoder->lock);
    struct archive *archive = archive_read_new();
    if (archive)
        decode(decoder, archive);
    else
        error_set(&decoder->error, -ENOMEM, "cannot begin to read the archive");
    archive_read_free(archive);
    if (decoder->read_digest && decoder->error.code == 0)
        read_rest(decoder);
    pthread_mutex_lock(&decoder->lock);
    decoder->ended = true;
    pthread_cond_broadcast(&decoder->changed);
    pthread_mutex_unlock(&decoder->lock);
    return NULL;
}

/* ---- its owner ---- */

static bool make_room(struct decoder *decoder)
{
    decoder->bytes = malloc(READ_SIZE);
    bool made = decoder->bytes != NULL;
    for (size_t i = 0; made && i < BLOCKS; i++)
        made = (decoder->ring[i].bytes = malloc(BLOCK_SIZE)) != NULL;
    return made;
}

static void give_back(struct decoder *decoder)
{
    for (size_t i = 0; i < BLOCKS; i++)
        free(decoder->ring[i].bytes);
    free(decoder->bytes);
    digest_free(decoder->read_digest);
    digest_free(decoder->decoded_digest);
    free(decoder);
}

/* Returns when the thread is past what it does at its birth: the filter of system calls knows nothing of that. */
struct decoder *decoder_start(int archive, bool hashed, struct error *error)
{
    struct decoder *decoder = calloc(1, sizeof(*decoder));
    struct stat status;
    if (!decoder || !make_room(decoder)) {
        error_set(error, -ENOMEM, "cannot begin to read the archive");
        if (decoder)
            give_back(decoder);
        return NULL;
    }
    decoder->input = archive;
    decoder->size = fstat(archive, &status) == 0 && S_ISREG(status.st_mode) ? status.st_size : 0;
    if (hashed) {
        decoder->read_digest = digest_new();
        decoder->decoded_digest = digest_new();
    }
    pthread_mutex_init(&decoder->lock, NULL);
    pthread_cond_init(&decoder->changed, NULL);
    int code = pthread_create(&decoder->thread, NULL, run, decoder);
    if (code) {
        error_errno(error, -code, "cannot start a thread");
        give_back(decoder);
        return NULL;
    }
    pthread_mutex_lock(&decoder->lock);
    while (!decoder->started)
        pthread_cond_wait(&decoder->changed, &decoder->lock);
    pthread_mutex_unlock(&decoder->lock);
    return decoder;
}

int64_t decoder_next(struct decoder *decoder, const void **bytes, struct error *error)
{
    int64_t size = 0;
    pthread_mutex_lock(&decoder->lock);
    while (decoder->filled == decoder->taken && !decoder->ended)
        pthread_cond_wait(&decoder->changed, &decoder->lock);
    if (decoder->filled != decoder->taken) {
        size_t at = decoder->taken++ % BLOCKS;
        *bytes = decoder->ring[at].bytes;
        size = (int64_t)decoder->ring[at].size;
        pthread_cond_broadcast(&decoder->changed);
    } else if (decoder->error.code) {
        size = error_set(error, decoder->error.code, "%s", decoder->error.text);
    }
    pthread_mutex_unlock(&decoder->lock);
    return size;
}

int decoder_percent(const struct decoder *decoder)
{
    return decoder->size > 0 ? (int)(atomic_load(&decoder->read) * 100 / decoder->size) : 0;
}

int decoder_drain(struct decoder *decoder, struct error *error)
{
    const void *bytes;
    int64_t size;
    while ((size = decoder_next(decoder, &bytes, error)) > 0)
        ;
    if (size < 0)
        return (int)size;
    digest_finish(decoder->read_digest, decoder->read_text);
    digest_finish(decoder->decoded_digest, decoder->decoded_text);
    return 0;
}

void decoder_digests(const struct decoder *decoder, const char **read, const char **decoded)
{
    *read = decoder->read_text;
    *decoded = decoder->decoded_text;
}

void decoder_free(struct decoder *decoder)
{
    if (!decoder)
        return;
    pthread_mutex_lock(&decoder->lock);
    decoder->stopped = true;
    pthread_cond_broadcast(&decoder->changed);
    pthread_mutex_unlock(&decoder->lock);
    pthread_join(decoder->thread, NULL);
    pthread_mutex_destroy(&decoder->lock);
    pthread_cond_destroy(&decoder->changed);
    give_back(decoder);
}
