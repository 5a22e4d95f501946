/* Squashfs images, by libsquashfs, out of a file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqfs/compressor.h>
#include <sqfs/data_reader.h>
#include <sqfs/dir.h>
#include <sqfs/dir_reader.h>
#include <sqfs/error.h>
#include <sqfs/id_table.h>
#include <sqfs/inode.h>
#include <sqfs/io.h>
#include <sqfs/predef.h>
#include <sqfs/super.h>
#include <sqfs/xattr.h>
#include <sqfs/xattr_reader.h>

#include "drivers/image/fetch/unpack.h"
#include "lib/arena.h"
#include "lib/error.h"

#define PIECE_SIZE       ((size_t)1 << 20)
#define ATTRIBUTES_LIMIT 256               /* of one entry */
#define NUMBERS_LIMIT    ((size_t)1 << 24) /* more than there may be entries */

struct file { /* what libsquashfs reads from */
    sqfs_file_t as;
    int fd;
    int64_t size;
};

struct squash {
    struct file file;
    sqfs_super_t super;
    sqfs_compressor_t *compressor;
    sqfs_id_table_t *ids;
    sqfs_dir_reader_t *folders;
    sqfs_data_reader_t *data;
    sqfs_xattr_reader_t *xattrs; /* NULL: it has none */
    struct filling *filling;
    const sqfs_inode_generic_t *inode; /* of the file that is being read */
    int64_t offset, length, total;
    char *bytes;
    struct map links;       /* inode number, of files that have several names -> the first */
    struct map seen;        /* inode numbers of folders */
    struct map firsts;      /* when only checked: the same numbers as in `links` -> the inode */
    unsigned char *numbers; /* the same: a bit for each number that came */
};

/* ---- the file ---- */

static int read_at(sqfs_file_t *as, sqfs_u64 offset, void *buffer, size_t size)
{
    struct file *file = (struct file *)as;
    if (offset > (sqfs_u64)file->size || size > (sqfs_u64)file->size - offset)
        return SQFS_ERROR_OUT_OF_BOUNDS;
    for (char *at = buffer; size;) {
        ssize_t got = pread(file->fd, at, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return SQFS_ERROR_IO;
        at += got;
        offset += (sqfs_u64)got;
        size -= (size_t)got;
    }
    return 0;
}

static int write_at(sqfs_file_t *as, sqfs_u64 offset, const void *buffer, size_t size)
{
    (void)as;
    (void)offset;
    (void)buffer;
    (void)size;
    return SQFS_ERROR_IO;
}

static sqfs_u64 get_size(const sqfs_file_t *as)
{
    return (sqfs_u64)((const struct file *)as)->size;
}

static int set_size(sqfs_file_t *as, sqfs_u64 size)
{
    (void)as;
    (void)size;
    return SQFS_ERROR_IO;
}

bool squash_is(int archive)
{
    sqfs_u32 magic;
    struct stat status;
    return fstat(archive, &status) == 0 && S_ISREG(status.st_mode) &&
           pread(archive, &magic, sizeof(magic), 0) == sizeof(magic) && le32toh(magic) == SQFS_MAGIC;
}

/* ---- errors ---- */

static int failed(struct error *error, int code)
{
    static const char *const texts[] = {
        [-SQFS_ERROR_IO] = "cannot be read",
        [-SQFS_ERROR_COMPRESSOR] = "a block cannot be decompressed",
        [-SQFS_ERROR_CORRUPTED] = "it is damaged",
        [-SQFS_ERROR_UNSUPPORTED] = "it is of a kind that is not supported",
        [-SQFS_ERROR_OVERFLOW] = "a number in it is too large",
        [-SQFS_ERROR_OUT_OF_BOUNDS] = "it ends too early",
    };
    const char *text = code < 0 && (size_t)-code < sizeof(texts) / sizeof(texts[0]) && texts[-code]
                           ? texts[-code]
                           : "it is damaged";
    return error_set(error, -EBADMSG, "squashfs: %s", text);
}

/* ---- content ---- */

static int piece(void *context, const void **bytes, size_t *size, int64_t *offset, struct error *error)
{
    struct squash *squash = context;
    int64_t rest = squash->length - squash->offset;
    if (rest <= 0)
        return 0;
    sqfs_u32 wanted = rest < (int64_t)PIECE_SIZE ? (sqfs_u32)rest : (sqfs_u32)PIECE_SIZE;
    sqfs_s32 got =
        sqfs_data_reader_read(squash->data, squash->inode, (sqfs_u64)squash->offset, squash->bytes, wanted);
    if (got <= 0)
        return failed(error, got < 0 ? got : SQFS_ERROR_OUT_OF_BOUNDS);
    squash->total += got;
    if (squash->total > RATIO_FROM && squash->total / RATIO_LIMIT > squash->file.size)
        return error_set(error, -EBADMSG, "the archive unpacks to more than 200 times its size");
    *bytes = squash->bytes;
    *size = (size_t)got;
    *offset = squash->offset;
    squash->offset += got;
    return 1;
}

static int percent(void *context)
{
    const struct squash *squash = context;
    return (int)(squash->filling->unpacked.entries * 100 / ((int64_t)squash->super.inode_count + 1));
}

/* ---- attributes ---- */

static int read_attribute(struct squash *squash, struct arena *arena, struct attribute *attribute)
{
    sqfs_xattr_entry_t *key = NULL;
    sqfs_xattr_value_t *value = NULL;
    int result = sqfs_xattr_reader_read_key(squash->xattrs, &key);
    if (result < 0)
        return result;
    result = sqfs_xattr_reader_read_value(squash->xattrs, key, &value);
    if (result == 0) {
        attribute->name = arena_strdup(arena, (const char *)key->key);
        attribute->size = value->size;
        attribute->value = arena_copy(arena, value->value, value->size);
    }
    sqfs_free(key);
    sqfs_free(value);
    return result;
}

static int read_attributes(struct squash *squash, struct arena *arena, const sqfs_inode_generic_t *inode,
                           struct entry *entry)
{
    sqfs_u32 index;
    sqfs_xattr_id_t place;
    int result = sqfs_inode_get_xattr_index(inode, &index);
    if (result < 0 || index == 0xffffffff || !squash->xattrs)
        return result;
    result = sqfs_xattr_reader_get_desc(squash->xattrs, index, &place);
    if (result == 0 && place.count > ATTRIBUTES_LIMIT)
        result = SQFS_ERROR_OVERFLOW;
    if (result == 0)
        result = sqfs_xattr_reader_seek_kv(squash->xattrs, &place);
    struct attribute *attributes = arena_array_of(arena, struct attribute, ATTRIBUTES_LIMIT);
    for (size_t i = 0; result == 0 && i < place.count; i++)
        result = read_attribute(squash, arena, &attributes[i]);
    entry->attributes = attributes;
    entry->attribute_count = result == 0 ? place.count : 0;
    return result;
}

struct found { /* in a folder */
    const char *name;
    sqfs_inode_generic_t *inode;
    unsigned type; /* as the folder has it */
};

/* ---- what the kernel would make of it ---- */

static size_t size_of(const sqfs_inode_generic_t *inode)
{
    return sizeof(*inode) - offsetof(sqfs_inode_generic_t, base) + inode->payload_bytes_used;
}

/* Inodes go by their numbers there: two that share one are one, whichever it came upon first. */
static bool is_same_as_first(struct squash *squash, const sqfs_inode_generic_t *inode)
{
    char number[16];
    snprintf(number, sizeof(number), "%u", inode->base.inode_number);
    const sqfs_inode_generic_t *first = map_get(&squash->firsts, number);
    return first && first->payload_bytes_used == inode->payload_bytes_used &&
           memcmp(&first->base, &inode->base, size_of(inode)) == 0;
}

static void note_first(struct squash *squash, const sqfs_inode_generic_t *inode)
{
    char number[16];
    if (inode->base.type != SQFS_INODE_EXT_FILE || inode->data.file_ext.nlink < 2)
        return;
    snprintf(number, sizeof(number), "%u", inode->base.inode_number);
    map_add(&squash->firsts, number,
            arena_copy(squash->filling->arena, inode, sizeof(*inode) + inode->payload_bytes_used));
}

static void check_number(struct squash *squash, const sqfs_inode_generic_t *inode, bool is_link)
{
    const sqfs_u32 number = inode->base.inode_number;
    if (!squash->numbers || number == 0 || number > squash->super.inode_count) {
        squash->filling->unpacked.skipped++;
        return;
    }
    unsigned char *byte = &squash->numbers[number / 8], bit = (unsigned char)(1 << number % 8);
    if (*byte & bit)
        squash->filling->unpacked.skipped += !is_link || !is_same_as_first(squash, inode);
    else
        note_first(squash, inode);
    *byte |= bit;
}

/* Names are searched in the order in which they should be, and types are told without a look at the inode. */
static void check_folder(struct squash *squash, const struct found *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned type = items[i].inode->base.type;
        type -= type >= SQFS_INODE_EXT_DIR ? SQFS_INODE_EXT_DIR - SQFS_INODE_DIR : 0;
        squash->filling->unpacked.skipped +=
            type != items[i].type || (i && strcmp(items[i - 1].name, items[i].name) >= 0);
    }
}

static int begin_check(struct squash *squash)
{
    const size_t count = squash->super.inode_count;
    if (count > NUMBERS_LIMIT) {
        squash->filling->unpacked.skipped++;
        return 0;
    }
    squash->numbers = calloc(1, count / 8 + 1);
    return squash->numbers ? 0 : SQFS_ERROR_ALLOC;
}

/* ---- entries ---- */

static enum entry_type type_of(const sqfs_inode_generic_t *inode)
{
    switch (inode->base.type) {
    case SQFS_INODE_DIR:
    case SQFS_INODE_EXT_DIR:
        return ENTRY_FOLDER;
    case SQFS_INODE_FILE:
    case SQFS_INODE_EXT_FILE:
        return ENTRY_FILE;
    case SQFS_INODE_SLINK:
    case SQFS_INODE_EXT_SLINK:
        return ENTRY_SYMLINK;
    case SQFS_INODE_FIFO:
    case SQFS_INODE_EXT_FIFO:
        return ENTRY_FIFO;
    default:
        return ENTRY_OTHER;
    }
}

static const char *link_of(struct arena *arena, const sqfs_inode_generic_t *inode)
{
    size_t size = inode->base.type == SQFS_INODE_SLINK ? inode->data.slink.target_size
                                                       : inode->data.slink_ext.target_size;
    return size >= PATH_MAX ? NULL : arena_strndup(arena, (const char *)inode->extra, size);
}

/* Names of one file come one by one; the first is made, the others are links to it. */
static bool is_known(struct squash *squash, const sqfs_inode_generic_t *inode, struct entry *entry)
{
    char number[16];
    if (entry->type != ENTRY_FILE || inode->base.type != SQFS_INODE_EXT_FILE ||
        inode->data.file_ext.nlink < 2)
        return false;
    snprintf(number, sizeof(number), "%u", inode->base.inode_number);
    const char *first = map_get(&squash->links, number);
    if (!first) {
        map_add(&squash->links, number, arena_strdup(squash->filling->arena, entry->name));
        return false;
    }
    entry->type = ENTRY_HARDLINK;
    entry->link = first;
    return true;
}

static int describe(struct squash *squash, struct arena *arena, const sqfs_inode_generic_t *inode,
                    struct entry *entry)
{
    sqfs_u32 uid, gid;
    sqfs_u64 size = 0;
    int result = sqfs_id_table_index_to_id(squash->ids, inode->base.uid_idx, &uid);
    if (result == 0)
        result = sqfs_id_table_index_to_id(squash->ids, inode->base.gid_idx, &gid);
    entry->type = type_of(inode);
    if (result == 0 && entry->type == ENTRY_FILE)
        result = sqfs_inode_get_file_size(inode, &size);
    if (result < 0)
        return result;
    entry->mode = inode->base.mode & 07777;
    entry->uid = uid;
    entry->gid = gid;
    entry->size = size > INT64_MAX ? -1 : (int64_t)size;
    entry->time.tv_sec = inode->base.mod_time;
    if (entry->type == ENTRY_SYMLINK)
        entry->link = link_of(arena, inode);
    return is_known(squash, inode, entry) ? 0 : read_attributes(squash, arena, inode, entry);
}

static int add(struct squash *squash, const sqfs_inode_generic_t *inode, const char *path)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct entry entry = {.name = *path ? path : "."};
    int result = describe(squash, arena, inode, &entry);
    if (result < 0) {
        result = failed(squash->filling->error, result);
        return error_wrap(squash->filling->error, result, "entry \"%.160s\"", squash->filling->path);
    }
    if (squash->filling->checks)
        check_number(squash, inode, entry.type == ENTRY_HARDLINK);
    squash->inode = inode;
    squash->offset = 0;
    squash->length = entry.size;
    return filling_add(squash->filling, &entry);
}

/* "" where a NUL would cut it. */
static const char *name_of(struct arena *arena, const sqfs_dir_entry_t *item)
{
    const size_t length = (size_t)item->size + 1;
    return memchr(item->name, '\0', length) ? "" : arena_strndup(arena, (const char *)item->name, length);
}

/* The reader holds one folder open at a time: so all of one is read before its folders are entered. */
static int list(struct squash *squash, struct arena *arena, const sqfs_inode_generic_t *folder,
                struct found **items, size_t *count)
{
    int result = sqfs_dir_reader_open_dir(squash->folders, folder, 0);
    while (result == 0) {
        sqfs_dir_entry_t *item = NULL;
        sqfs_inode_generic_t *inode = NULL;
        result = sqfs_dir_reader_read(squash->folders, &item);
        if (result > 0)
            return 0;
        if (result == 0)
            result = sqfs_dir_reader_get_inode(squash->folders, &inode);
        if (result == 0)
            *(struct found *)arena_append(arena, *items, *count) =
                (struct found){name_of(arena, item), inode, item->type};
        sqfs_free(item);
    }
    return result;
}

/* A name with a slash, or one that is not of a folder's entries, would be none of squashfs: as a path it could still lead
 * nowhere but down. */
static int check_name(struct squash *squash, const char *name)
{
    if (*name == '\0' || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return error_set(squash->filling->error, -EINVAL,
                         "squashfs: a folder below \"%.160s\" holds no proper name", squash->filling->path);
    return 0;
}

static int walk(struct squash *squash, const sqfs_inode_generic_t *folder, const char *path, int depth);

static int walk_items(struct squash *squash, struct arena *arena, const struct found *items, size_t count,
                      const char *path, int depth)
{
    int result = 0;
    if (squash->filling->checks)
        check_folder(squash, items, count);
    for (size_t i = 0; result == 0 && i < count; i++) {
        result = check_name(squash, items[i].name);
        const char *own = *path ? arena_join(arena, path, '/', items[i].name) : items[i].name;
        if (result == 0)
            result = add(squash, items[i].inode, own);
        if (result == 0 && type_of(items[i].inode) == ENTRY_FOLDER)
            result = walk(squash, items[i].inode, own, depth + 1);
    }
    return result;
}

/* A folder has one name; one that comes again may hold itself. */
static int walk(struct squash *squash, const sqfs_inode_generic_t *folder, const char *path, int depth)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct found *items = NULL;
    size_t count = 0;
    char number[16];
    snprintf(number, sizeof(number), "%u", folder->base.inode_number);
    if (depth > DEPTH_LIMIT + 1 || !map_add(&squash->seen, number, squash))
        return error_set(squash->filling->error, -EINVAL, "entry \"%.160s\" %s", path,
                         depth > DEPTH_LIMIT ? "lies too deep" : "comes twice");
    int result = list(squash, arena, folder, &items, &count);
    if (result < 0)
        result = failed(squash->filling->error, result);
    else
        result = walk_items(squash, arena, items, count, path, depth);
    for (size_t i = 0; i < count; i++)
        sqfs_free(items[i].inode);
    return result;
}

/* ---- all of it ---- */

static int open_tables(struct squash *squash)
{
    sqfs_compressor_config_t config;
    sqfs_file_t *file = &squash->file.as;
    int result = sqfs_super_read(&squash->super, file);
    if (result == 0)
        result = sqfs_compressor_config_init(&config, squash->super.compression_id, squash->super.block_size,
                                             SQFS_COMP_FLAG_UNCOMPRESS);
    if (result == 0)
        result = sqfs_compressor_create(&config, &squash->compressor);
    if (result < 0)
        return result;
    squash->ids = sqfs_id_table_create(0);
    squash->folders = sqfs_dir_reader_create(&squash->super, squash->compressor, file, 0);
    squash->data = sqfs_data_reader_create(file, squash->super.block_size, squash->compressor, 0);
    squash->bytes = malloc(PIECE_SIZE);
    if (!squash->ids || !squash->folders || !squash->data || !squash->bytes)
        return SQFS_ERROR_ALLOC;
    result = sqfs_id_table_read(squash->ids, file, &squash->super, squash->compressor);
    if (result == 0)
        result = sqfs_data_reader_load_fragment_table(squash->data, &squash->super);
    if (result < 0 || squash->super.flags & SQFS_FLAG_NO_XATTRS)
        return result;
    squash->xattrs = sqfs_xattr_reader_create(0);
    return squash->xattrs ? sqfs_xattr_reader_load(squash->xattrs, &squash->super, file, squash->compressor)
                          : SQFS_ERROR_ALLOC;
}

static int read_all(struct squash *squash)
{
    sqfs_inode_generic_t *root = NULL;
    int result = open_tables(squash);
    if (result == 0 && squash->filling->checks)
        result = begin_check(squash);
    if (result == 0)
        result = sqfs_dir_reader_get_root_inode(squash->folders, &root);
    if (result < 0)
        return failed(squash->filling->error, result);
    result = add(squash, root, "");
    if (result == 0)
        result = walk(squash, root, "", 0);
    sqfs_free(root);
    return result;
}

int squash_read(int archive, struct filling *filling)
{
    struct stat status;
    if (fstat(archive, &status) < 0)
        return error_errno(filling->error, -errno, "cannot look at the archive");
    struct squash *squash = arena_new_of(filling->arena, struct squash);
    squash->file = (struct file){
        .as = {.read_at = read_at, .write_at = write_at, .get_size = get_size, .truncate = set_size},
        .fd = archive,
        .size = status.st_size};
    squash->filling = filling;
    filling->reader = (struct reader){squash, piece, percent};
    int result = read_all(squash);
    sqfs_destroy(squash->xattrs);
    sqfs_destroy(squash->data);
    sqfs_destroy(squash->folders);
    sqfs_destroy(squash->ids);
    sqfs_destroy(squash->compressor);
    free(squash->bytes);
    free(squash->numbers);
    map_clear(&squash->links);
    map_clear(&squash->seen);
    map_clear(&squash->firsts);
    return result;
}
