/* program_file.c - what the launcher wants to know about a program before it starts it.
 *
 * Only program headers and the dynamic section are read (System V ABI, chapter 5): they are there in stripped programs
 * too. The file is somebody else's, so every offset is checked against its size.
 */
#include "program_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct image {
    const uint8_t *bytes;
    size_t n;
    Elf64_Ehdr header;
};

/* Copy n bytes at offset out of the file: what it says to be a structure may lie at any address. False when they are
 * not all in the file. */
static bool take(const struct image *image, uint64_t offset, void *out, size_t n)
{
    if (offset > image->n || n > image->n - offset)
        return false;
    memcpy(out, image->bytes + offset, n);
    return true;
}

static bool segment(const struct image *image, unsigned i, Elf64_Phdr *out)
{
    return i < image->header.e_phnum && take(image, image->header.e_phoff + i * sizeof *out, out, sizeof *out);
}

static bool segment_of_type(const struct image *image, uint32_t type, Elf64_Phdr *out)
{
    for (unsigned i = 0; segment(image, i, out); i++)
        if (out->p_type == type)
            return true;
    return false;
}

/* A string of the dynamic string table, which is given by address. "" when it is not wholly in the file. */
static const char *string_at(const struct image *image, uint64_t address)
{
    Elf64_Phdr p;
    for (unsigned i = 0; segment(image, i, &p); i++) {
        if (p.p_type != PT_LOAD || address < p.p_vaddr || address - p.p_vaddr >= p.p_filesz)
            continue;
        uint64_t offset = p.p_offset + (address - p.p_vaddr);
        if (offset >= image->n || !memchr(image->bytes + offset, 0, image->n - offset))
            return "";
        return (const char *)image->bytes + offset;
    }
    return "";
}

/* The i-th entry of the dynamic section; false behind the last. */
static bool dynamic_entry(const struct image *image, const Elf64_Phdr *dynamic, size_t i, Elf64_Dyn *out)
{
    return i < dynamic->p_filesz / sizeof *out && take(image, dynamic->p_offset + i * sizeof *out, out, sizeof *out);
}

static void find_asan(const struct image *image, struct sim_program_file *file)
{
    Elf64_Phdr dynamic;
    Elf64_Dyn d;
    uint64_t strings = 0;
    if (!segment_of_type(image, PT_DYNAMIC, &dynamic))
        return;
    for (size_t i = 0; dynamic_entry(image, &dynamic, i, &d); i++)
        if (d.d_tag == DT_STRTAB)
            strings = d.d_un.d_ptr;
    for (size_t i = 0; strings && dynamic_entry(image, &dynamic, i, &d); i++) {
        const char *name = d.d_tag == DT_NEEDED ? string_at(image, strings + d.d_un.d_val) : "";
        if (!strncmp(name, "libasan.so", 10))
            snprintf(file->asan, sizeof file->asan, "%s", name);
    }
}

static void inspect(struct image *image, struct sim_program_file *file)
{
    const Elf64_Ehdr *h = &image->header;
    Elf64_Phdr interpreter;
    if (!take(image, 0, &image->header, sizeof image->header) || memcmp(h->e_ident, ELFMAG, SELFMAG))
        return;
    file->is_elf = true;
    file->is_x86_64 = h->e_ident[EI_CLASS] == ELFCLASS64 && h->e_machine == EM_X86_64;
    if (!file->is_x86_64 || h->e_phentsize != sizeof(Elf64_Phdr))
        return;
    file->is_static = !segment_of_type(image, PT_INTERP, &interpreter);
    find_asan(image, file);
}

/* 0 or -errno; bytes stays NULL when the file is empty or cannot be mapped. */
static int open_image(const char *path, struct image *image)
{
    struct stat st;
    *image = (struct image){.bytes = NULL};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = fstat(fd, &st) ? -errno : 0;
    void *bytes = rc || !st.st_size ? MAP_FAILED : mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (bytes != MAP_FAILED)
        *image = (struct image){.bytes = bytes, .n = st.st_size};
    return rc;
}

static void close_image(const struct image *image)
{
    munmap((void *)(uintptr_t)image->bytes, image->n);
}

int sim_program_inspect(const char *path, struct sim_program_file *file)
{
    struct image image;
    memset(file, 0, sizeof *file);
    int rc = open_image(path, &image);
    if (rc || !image.bytes)
        return rc;
    inspect(&image, file);
    close_image(&image);
    return 0;
}

/* The name of an environment variable that DPDK's PCI bus asks for: it is there in stripped programs too. */
bool sim_program_holds_dpdk(const char *path)
{
    static const char asked_for[] = "SYSFS_PCI_DEVICES";
    struct image image;
    if (open_image(path, &image) || !image.bytes)
        return false;
    bool holds = memmem(image.bytes, image.n, asked_for, sizeof asked_for);
    close_image(&image);
    return holds;
}
