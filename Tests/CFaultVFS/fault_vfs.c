// SPDX-License-Identifier: Apache-2.0
#include "CFaultVFS.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <sqlite3.h>

struct yoloq_fault_vfs {
    sqlite3_vfs vfs; // first: SQLite hands this back to us
    sqlite3_vfs *base;
    pthread_mutex_t lock; // guards everything below

    bool is_failing;
    yoloq_fault_call call;
    int files;
    int64_t first, count;
    int code;
    bool half;
    int64_t call_count, failure_count;

    bool is_recording;
    yoloq_fault_operation *operations;
    int64_t operation_count, operation_capacity;
    int64_t last_content;
    int64_t contents[YOLOQ_FILE_JOURNAL + 1]; // of each file that is there; 0 for none

    int watched; // the lock file, opened for us alone; -1 while no account is kept
    yoloq_step *steps;
    int64_t step_count, step_capacity;
    int64_t last_connection;
};

typedef struct {
    sqlite3_file file; // first, as SQLite wants it
    yoloq_fault_vfs *vfs;
    yoloq_fault_file kind; // 0 for a temporary file
    int64_t content;
    int64_t connection; // of a database
    bool is_exclusive; // holds the database alone
    bool syncs_folder; // the next sync does
    sqlite3_file *base; // behind this struct
} fault_file;

static fault_file *own(sqlite3_file *file) { return (fault_file *)file; }
static sqlite3_file *base_of(sqlite3_file *file) { return own(file)->base; }

// Counts a call and tells whether it has to fail: an SQLite code, or SQLITE_OK. Call it without the lock.
static int verdict(yoloq_fault_vfs *vfs, yoloq_fault_call call, int kind, bool *half) {
    int code = SQLITE_OK;
    pthread_mutex_lock(&vfs->lock);
    if (call == vfs->call && (kind & vfs->files) != 0) {
        vfs->call_count++;
        if (vfs->is_failing && vfs->call_count >= vfs->first && vfs->call_count - vfs->first < vfs->count) {
            vfs->failure_count++;
            code = vfs->code;
            if (half) *half = vfs->half;
        }
    }
    pthread_mutex_unlock(&vfs->lock);
    return code;
}

// Adds to the record. Call it with the lock held. A lack of memory ends the process: this is for tests.
static void keep(yoloq_fault_vfs *vfs, yoloq_fault_operation operation, const void *bytes) {
    if (!vfs->is_recording || operation.file == 0) return;
    if (vfs->operation_count == vfs->operation_capacity) {
        vfs->operation_capacity = vfs->operation_capacity ? 2 * vfs->operation_capacity : 1024;
        vfs->operations = realloc(vfs->operations, (size_t)vfs->operation_capacity * sizeof *vfs->operations);
        if (!vfs->operations) abort();
    }
    if (operation.byte_count > 0) {
        uint8_t *copy = malloc((size_t)operation.byte_count);
        if (!copy) abort();
        memcpy(copy, bytes, (size_t)operation.byte_count);
        operation.bytes = copy;
    }
    vfs->operations[vfs->operation_count++] = operation;
}

// Whether anybody holds the watched file. Call it with the lock held, since a probe holds the file for a moment.
static bool is_guarded(yoloq_fault_vfs *vfs) {
    if (flock(vfs->watched, LOCK_SH | LOCK_NB) != 0) return true;
    flock(vfs->watched, LOCK_UN);
    return false;
}

// Adds to the account. Call it with the lock held.
static void note(yoloq_fault_vfs *vfs, yoloq_step_kind kind, yoloq_lock lock, int64_t connection) {
    if (vfs->watched < 0) return;
    if (vfs->step_count == vfs->step_capacity) {
        vfs->step_capacity = vfs->step_capacity ? 2 * vfs->step_capacity : 1024;
        vfs->steps = realloc(vfs->steps, (size_t)vfs->step_capacity * sizeof *vfs->steps);
        if (!vfs->steps) abort();
    }
    vfs->steps[vfs->step_count++] = (yoloq_step){kind, lock, connection, is_guarded(vfs)};
}

// Notes a write of the log or of the database, before it is done. Call it with the lock held.
static void note_write(fault_file *file) {
    if (file->kind == YOLOQ_FILE_WAL) note(file->vfs, YOLOQ_STEP_APPEND, 0, 0);
    if (file->kind == YOLOQ_FILE_DATABASE) note(file->vfs, YOLOQ_STEP_COPY, 0, file->connection);
}

// Runs a change and adds it to the record if it worked, both under the lock, so that the record has the disk's order.
#define RECORDED(VFS, RESULT, CHANGE, OPERATION, BYTES)   \
    do {                                                  \
        pthread_mutex_lock(&(VFS)->lock);                 \
        if ((OPERATION).call == YOLOQ_CALL_WRITE) note_write(own(file)); \
        RESULT = (CHANGE);                                \
        if (RESULT == SQLITE_OK) keep(VFS, (OPERATION), BYTES); \
        pthread_mutex_unlock(&(VFS)->lock);               \
    } while (0)

// MARK: Files

static int fault_close(sqlite3_file *file) { return base_of(file)->pMethods->xClose(base_of(file)); }

static int fault_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 offset) {
    int code = verdict(own(file)->vfs, YOLOQ_CALL_READ, own(file)->kind, NULL);
    return code ? code : base_of(file)->pMethods->xRead(base_of(file), bytes, count, offset);
}

static int fault_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset) {
    bool half = false;
    int code = verdict(own(file)->vfs, YOLOQ_CALL_WRITE, own(file)->kind, &half);
    if (code && !half) return code;
    int length = code ? count / 2 : count;
    yoloq_fault_operation operation = {
        .call = YOLOQ_CALL_WRITE, .file = own(file)->kind, .content = own(file)->content,
        .offset = offset, .byte_count = length};
    int result;
    RECORDED(own(file)->vfs, result,
        base_of(file)->pMethods->xWrite(base_of(file), bytes, length, offset), operation, bytes);
    return code ? code : result;
}

static int fault_truncate(sqlite3_file *file, sqlite3_int64 length) {
    int code = verdict(own(file)->vfs, YOLOQ_CALL_TRUNCATE, own(file)->kind, NULL);
    if (code) return code;
    yoloq_fault_operation operation = {
        .call = YOLOQ_CALL_TRUNCATE, .file = own(file)->kind, .content = own(file)->content, .offset = length};
    int result;
    RECORDED(own(file)->vfs, result, base_of(file)->pMethods->xTruncate(base_of(file), length), operation, NULL);
    return result;
}

static int fault_sync(sqlite3_file *file, int flags) {
    int code = verdict(own(file)->vfs, YOLOQ_CALL_SYNC, own(file)->kind, NULL);
    if (code) return code;
    yoloq_fault_operation operation = {
        .call = YOLOQ_CALL_SYNC, .file = own(file)->kind, .content = own(file)->content,
        .syncs_folder = own(file)->syncs_folder};
    int result;
    RECORDED(own(file)->vfs, result, base_of(file)->pMethods->xSync(base_of(file), flags), operation, NULL);
    if (result == SQLITE_OK) own(file)->syncs_folder = false;
    return result;
}

static int fault_file_size(sqlite3_file *file, sqlite3_int64 *size) {
    return base_of(file)->pMethods->xFileSize(base_of(file), size);
}

static int fault_lock(sqlite3_file *file, int level) {
    yoloq_fault_vfs *vfs = own(file)->vfs;
    pthread_mutex_lock(&vfs->lock);
    int result = base_of(file)->pMethods->xLock(base_of(file), level);
    if (result == SQLITE_OK && level == SQLITE_LOCK_EXCLUSIVE && own(file)->connection) {
        own(file)->is_exclusive = true;
        note(vfs, YOLOQ_STEP_LOCK, YOLOQ_LOCK_EXCLUSIVE, own(file)->connection);
    }
    pthread_mutex_unlock(&vfs->lock);
    return result;
}

static int fault_unlock(sqlite3_file *file, int level) {
    yoloq_fault_vfs *vfs = own(file)->vfs;
    pthread_mutex_lock(&vfs->lock);
    if (own(file)->is_exclusive) note(vfs, YOLOQ_STEP_UNLOCK, YOLOQ_LOCK_EXCLUSIVE, own(file)->connection);
    own(file)->is_exclusive = false;
    int result = base_of(file)->pMethods->xUnlock(base_of(file), level);
    pthread_mutex_unlock(&vfs->lock);
    return result;
}

static int fault_check_reserved_lock(sqlite3_file *file, int *result) {
    return base_of(file)->pMethods->xCheckReservedLock(base_of(file), result);
}

static int fault_file_control(sqlite3_file *file, int operation, void *argument) {
    return base_of(file)->pMethods->xFileControl(base_of(file), operation, argument);
}

static int fault_sector_size(sqlite3_file *file) { return base_of(file)->pMethods->xSectorSize(base_of(file)); }

static int fault_device_characteristics(sqlite3_file *file) {
    return base_of(file)->pMethods->xDeviceCharacteristics(base_of(file));
}

static int fault_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **memory) {
    int code = verdict(own(file)->vfs, YOLOQ_CALL_MAP_SHM, own(file)->kind, NULL);
    return code ? code : base_of(file)->pMethods->xShmMap(base_of(file), region, size, extend, memory);
}

// The locks by their place in the shared memory (sqlite.org/walformat.html#locks). One that takes several is a recovery,
// or a reader that moves on.
static yoloq_lock lock_at(int offset, int count) {
    if (count != 1) return 0;
    return offset == 0 ? YOLOQ_LOCK_WRITE : offset == 1 ? YOLOQ_LOCK_CHECKPOINT : 0;
}

static int fault_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
    yoloq_fault_vfs *vfs = own(file)->vfs;
    yoloq_lock lock = lock_at(offset, count);
    bool releases = (flags & SQLITE_SHM_UNLOCK) != 0;
    pthread_mutex_lock(&vfs->lock);
    if (lock && releases) note(vfs, YOLOQ_STEP_UNLOCK, lock, own(file)->connection);
    int result = base_of(file)->pMethods->xShmLock(base_of(file), offset, count, flags);
    if (lock && !releases && result == SQLITE_OK) note(vfs, YOLOQ_STEP_LOCK, lock, own(file)->connection);
    pthread_mutex_unlock(&vfs->lock);
    return result;
}

static void fault_shm_barrier(sqlite3_file *file) { base_of(file)->pMethods->xShmBarrier(base_of(file)); }

static int fault_shm_unmap(sqlite3_file *file, int deletes) {
    return base_of(file)->pMethods->xShmUnmap(base_of(file), deletes);
}

// Version 2 has the shared memory, and not the mapped reading and writing that would pass us by.
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = fault_close,
    .xRead = fault_read,
    .xWrite = fault_write,
    .xTruncate = fault_truncate,
    .xSync = fault_sync,
    .xFileSize = fault_file_size,
    .xLock = fault_lock,
    .xUnlock = fault_unlock,
    .xCheckReservedLock = fault_check_reserved_lock,
    .xFileControl = fault_file_control,
    .xSectorSize = fault_sector_size,
    .xDeviceCharacteristics = fault_device_characteristics,
    .xShmMap = fault_shm_map,
    .xShmLock = fault_shm_lock,
    .xShmBarrier = fault_shm_barrier,
    .xShmUnmap = fault_shm_unmap,
};

// MARK: Names

static yoloq_fault_file kind_of_open(int flags) {
    if (flags & SQLITE_OPEN_MAIN_DB) return YOLOQ_FILE_DATABASE;
    if (flags & SQLITE_OPEN_WAL) return YOLOQ_FILE_WAL;
    if (flags & SQLITE_OPEN_MAIN_JOURNAL) return YOLOQ_FILE_JOURNAL;
    return 0;
}

static yoloq_fault_file kind_of_name(const char *name) {
    const char *dash = strrchr(name, '-');
    if (dash && strcmp(dash, "-wal") == 0) return YOLOQ_FILE_WAL;
    if (dash && strcmp(dash, "-journal") == 0) return YOLOQ_FILE_JOURNAL;
    return YOLOQ_FILE_DATABASE;
}

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags) {
    yoloq_fault_vfs *self = (yoloq_fault_vfs *)vfs;
    fault_file *opened = own(file);
    memset(opened, 0, sizeof *opened);
    opened->vfs = self;
    opened->kind = name ? kind_of_open(flags) : 0;
    opened->base = (sqlite3_file *)(opened + 1);
    int code = verdict(self, YOLOQ_CALL_OPEN, opened->kind, NULL);
    if (code == SQLITE_READONLY) {
        flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
    } else if (code) {
        return code;
    }
    // The system's layer syncs the folder with the first sync of a log or journal that was opened so (os_unix.c,
    // UNIXFILE_DIRSYNC).
    opened->syncs_folder = opened->kind != YOLOQ_FILE_DATABASE && (flags & SQLITE_OPEN_CREATE);
    pthread_mutex_lock(&self->lock);
    bool exists = opened->kind && access(name, F_OK) == 0; // not xAccess, for which an empty file does not exist
    int result = self->base->xOpen(self->base, name, opened->base, flags, out_flags);
    if (result == SQLITE_OK && opened->kind) {
        if (!exists || self->contents[opened->kind] == 0) self->contents[opened->kind] = ++self->last_content;
        opened->content = self->contents[opened->kind];
        if (opened->kind == YOLOQ_FILE_DATABASE) opened->connection = ++self->last_connection;
        yoloq_fault_operation operation = {
            .call = YOLOQ_CALL_CREATE, .file = opened->kind, .content = opened->content};
        if (!exists) keep(self, operation, NULL);
    }
    pthread_mutex_unlock(&self->lock);
    // Without methods SQLite does not close what could not be opened.
    if (opened->base->pMethods) opened->file.pMethods = &methods;
    return result;
}

static int fault_delete(sqlite3_vfs *vfs, const char *name, int syncs_folder) {
    yoloq_fault_vfs *self = (yoloq_fault_vfs *)vfs;
    yoloq_fault_file kind = kind_of_name(name);
    int code = verdict(self, YOLOQ_CALL_DELETE, kind, NULL);
    if (code) return code;
    yoloq_fault_operation operation = {
        .call = YOLOQ_CALL_DELETE, .file = kind, .syncs_folder = (syncs_folder & 1) != 0};
    int result;
    pthread_mutex_lock(&self->lock);
    result = self->base->xDelete(self->base, name, syncs_folder);
    if (result == SQLITE_OK) {
        operation.content = self->contents[kind];
        self->contents[kind] = 0;
        keep(self, operation, NULL);
    }
    pthread_mutex_unlock(&self->lock);
    return result;
}

static sqlite3_vfs *below(sqlite3_vfs *vfs) { return ((yoloq_fault_vfs *)vfs)->base; }

static int fault_access(sqlite3_vfs *vfs, const char *name, int flags, int *result) {
    return below(vfs)->xAccess(below(vfs), name, flags, result);
}

static int fault_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *path) {
    return below(vfs)->xFullPathname(below(vfs), name, size, path);
}

static int fault_randomness(sqlite3_vfs *vfs, int count, char *bytes) {
    return below(vfs)->xRandomness(below(vfs), count, bytes);
}

static int fault_sleep(sqlite3_vfs *vfs, int microseconds) { return below(vfs)->xSleep(below(vfs), microseconds); }

static int fault_current_time(sqlite3_vfs *vfs, double *time) { return below(vfs)->xCurrentTime(below(vfs), time); }

static int fault_current_time_int64(sqlite3_vfs *vfs, sqlite3_int64 *time) {
    return below(vfs)->xCurrentTimeInt64(below(vfs), time);
}

static int fault_last_error(sqlite3_vfs *vfs, int size, char *text) {
    return below(vfs)->xGetLastError(below(vfs), size, text);
}

// MARK: For the tests

yoloq_fault_vfs *yoloq_fault_vfs_make(const char *name) {
    yoloq_fault_vfs *self = calloc(1, sizeof *self);
    char *copy = strdup(name);
    sqlite3_vfs *base = sqlite3_vfs_find(NULL);
    if (!self || !copy || !base) return NULL;
    pthread_mutex_init(&self->lock, NULL);
    self->watched = -1;
    self->base = base;
    self->vfs = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = (int)sizeof(fault_file) + base->szOsFile,
        .mxPathname = base->mxPathname,
        .zName = copy,
        .xOpen = fault_open,
        .xDelete = fault_delete,
        .xAccess = fault_access,
        .xFullPathname = fault_full_pathname,
        .xRandomness = fault_randomness,
        .xSleep = fault_sleep,
        .xCurrentTime = fault_current_time,
        .xGetLastError = fault_last_error,
        .xCurrentTimeInt64 = fault_current_time_int64,
    };
    return sqlite3_vfs_register(&self->vfs, 0) == SQLITE_OK ? self : NULL;
}

void yoloq_fault_vfs_fail(
    yoloq_fault_vfs *vfs, yoloq_fault_call call, int files, int64_t first, int64_t count, int code, bool half) {
    pthread_mutex_lock(&vfs->lock);
    vfs->is_failing = true;
    vfs->call = call;
    vfs->files = files;
    vfs->first = first;
    vfs->count = count;
    vfs->code = code;
    vfs->half = half;
    vfs->call_count = vfs->failure_count = 0;
    pthread_mutex_unlock(&vfs->lock);
}

void yoloq_fault_vfs_heal(yoloq_fault_vfs *vfs) {
    pthread_mutex_lock(&vfs->lock);
    vfs->is_failing = false;
    vfs->files = 0; // what comes now is not counted
    pthread_mutex_unlock(&vfs->lock);
}

void yoloq_fault_vfs_record(yoloq_fault_vfs *vfs) {
    pthread_mutex_lock(&vfs->lock);
    vfs->is_recording = true;
    pthread_mutex_unlock(&vfs->lock);
}

bool yoloq_fault_vfs_watch(yoloq_fault_vfs *vfs, const char *lock_file) {
    int file = open(lock_file, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    pthread_mutex_lock(&vfs->lock);
    vfs->watched = file;
    pthread_mutex_unlock(&vfs->lock);
    return file >= 0;
}

// Reads one number under the lock.
#define LOCKED_COUNT(NAME, FIELD)                    \
    int64_t NAME(yoloq_fault_vfs *vfs) {             \
        pthread_mutex_lock(&vfs->lock);              \
        int64_t count = vfs->FIELD;                  \
        pthread_mutex_unlock(&vfs->lock);            \
        return count;                                \
    }
LOCKED_COUNT(yoloq_fault_vfs_call_count, call_count)
LOCKED_COUNT(yoloq_fault_vfs_failure_count, failure_count)
LOCKED_COUNT(yoloq_fault_vfs_operation_count, operation_count)
LOCKED_COUNT(yoloq_fault_vfs_step_count, step_count)

yoloq_fault_operation yoloq_fault_vfs_operation(yoloq_fault_vfs *vfs, int64_t index) {
    pthread_mutex_lock(&vfs->lock);
    yoloq_fault_operation operation = vfs->operations[index];
    pthread_mutex_unlock(&vfs->lock);
    return operation;
}

yoloq_step yoloq_fault_vfs_step(yoloq_fault_vfs *vfs, int64_t index) {
    pthread_mutex_lock(&vfs->lock);
    yoloq_step step = vfs->steps[index];
    pthread_mutex_unlock(&vfs->lock);
    return step;
}
