/* Tar archives (ustar, pax, GNU), by libarchive, out of the decoder's blocks. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

#include "drivers/image/fetch/unpack.h"
#include "lib/arena.h"
#include "lib/error.h"

#define ATTRIBUTES_LIMIT 256  /* of one entry */
#define END_SIZE         1535 /* what a tar may lack: the rest of its last block, and the two empty ones */

struct tar {
    struct decoder *decoder;
    struct archive *archive;
    bool layer, ended;
    struct error error; /* the decoder's, which is better than what becomes of it on the way */
    struct attribute attributes[ATTRIBUTES_LIMIT];
};

/* Some write layers without the end that a tar has (umoci 0.4.7): its digest says that nothing is lost. */
static la_ssize_t take_block(struct archive *archive, void *context, const void **bytes)
{
    struct tar *tar = context;
    int64_t size = decoder_next(tar->decoder, bytes, &tar->error);
    if (size < 0)
        archive_set_error(archive, EBADMSG, "%s", tar->error.text);
    if (size == 0 && tar->layer && !tar->ended) {
        static const char end[END_SIZE];
        tar->ended = true;
        *bytes = end;
        return END_SIZE;
    }
    return size < 0 ? -1 : (la_ssize_t)size;
}

static int failed(struct tar *tar, struct error *error)
{
    const char *text = archive_error_string(tar->archive);
    if (tar->error.code)
        return error_set(error, tar->error.code, "%s", tar->error.text);
    if (!archive_format(tar->archive)) /* of what could be unpacked nothing is a tar */
        return error_set(error, -EMEDIUMTYPE, "%s", text ? text : "it is no archive");
    return error_set(error, -EBADMSG, "%s", text ? text : "damaged archive");
}

static int piece(void *context, const void **bytes, size_t *size, int64_t *offset, struct error *error)
{
    struct tar *tar = context;
    int status = archive_read_data_block(tar->archive, bytes, size, offset);
    if (status == ARCHIVE_EOF)
        return 0;
    return status == ARCHIVE_OK ? 1 : failed(tar, error);
}

static int percent(void *context)
{
    return decoder_percent(((struct tar *)context)->decoder);
}

static enum entry_type type_of(struct archive_entry *entry)
{
    if (archive_entry_hardlink(entry))
        return ENTRY_HARDLINK;
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
        return ENTRY_FILE;
    case AE_IFDIR:
        return ENTRY_FOLDER;
    case AE_IFLNK:
        return ENTRY_SYMLINK;
    case AE_IFIFO:
        return ENTRY_FIFO;
    default:
        return ENTRY_OTHER;
    }
}

static size_t attributes_of(struct tar *tar, struct archive_entry *entry)
{
    size_t count = 0;
    archive_entry_xattr_reset(entry);
    while (count < ATTRIBUTES_LIMIT &&
           archive_entry_xattr_next(entry, &tar->attributes[count].name, &tar->attributes[count].value,
                                    &tar->attributes[count].size) == ARCHIVE_OK)
        count++;
    return count;
}

static struct entry entry_of(struct tar *tar, struct archive_entry *entry)
{
    enum entry_type type = type_of(entry);
    return (struct entry){
        .type = type,
        .name = archive_entry_pathname(entry),
        .link = type == ENTRY_HARDLINK ? archive_entry_hardlink(entry) : archive_entry_symlink(entry),
        .mode = archive_entry_perm(entry),
        .uid = archive_entry_uid(entry),
        .gid = archive_entry_gid(entry),
        .size = archive_entry_size(entry),
        .time = {.tv_sec = archive_entry_mtime(entry), .tv_nsec = archive_entry_mtime_nsec(entry)},
        .attributes = tar->attributes,
        .attribute_count = attributes_of(tar, entry),
    };
}

/* Access lists with names of another host, which only the attribute of Linux has as numbers, and file flags: an
 * immutable file could be neither changed nor freed. */
static int left_out(struct archive_entry *entry)
{
    return (archive_entry_acl_types(entry) != 0) + (archive_entry_fflags_text(entry) != NULL);
}

static int read_entries(struct tar *tar, struct filling *filling)
{
    for (;;) {
        struct archive_entry *found;
        int status = archive_read_next_header(tar->archive, &found);
        if (status == ARCHIVE_EOF)
            return 0;
        if (status != ARCHIVE_OK) { /* also a warning: what the reader only guesses at is refused */
            int result = failed(tar, filling->error);
            return error_wrap(filling->error, result, "entry \"%.160s\"", filling->path);
        }
        if (archive_entry_xattr_count(found) > ATTRIBUTES_LIMIT)
            return error_set(filling->error, -EINVAL, "an entry has more than %d attributes",
                             ATTRIBUTES_LIMIT);
        filling->unpacked.skipped += left_out(found);
        const struct entry entry = entry_of(tar, found);
        int result = filling_add(filling, &entry);
        if (result < 0)
            return result;
    }
}

int tar_read(struct decoder *decoder, struct filling *filling)
{
    struct tar *tar = arena_new_of(filling->arena, struct tar);
    tar->decoder = decoder;
    tar->layer = filling->layer;
    tar->archive = archive_read_new();
    filling->reader = (struct reader){tar, piece, percent};
    if (!tar->archive)
        return error_set(filling->error, -ENOMEM, "cannot begin to read the archive");
    archive_read_support_format_tar(tar->archive);
    int result = archive_read_open(tar->archive, tar, NULL, take_block, NULL) == ARCHIVE_OK
                     ? read_entries(tar, filling)
                     : failed(tar, filling->error);
    archive_read_free(tar->archive);
    return result;
}
