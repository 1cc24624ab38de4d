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
    const Elf64_Ehdr *header;
};

/* n bytes at offset, NULL when they are not all in the file. */
static const void *at(const struct image *image, uint64_t offset, uint64_t n)
{
    return offset <= image->n && n <= image->n - offset ? image->bytes + offset : NULL;
}

static const Elf64_Phdr *segment(const struct image *image, unsigned i)
{
    return i < image->header->e_phnum ? at(image, image->header->e_phoff + i * sizeof(Elf64_Phdr), sizeof(Elf64_Phdr))
                                      : NULL;
}

static const Elf64_Phdr *segment_of_type(const struct image *image, uint32_t type)
{
    const Elf64_Phdr *p;
    for (unsigned i = 0; (p = segment(image, i)); i++)
        if (p->p_type == type)
            return p;
    return NULL;
}

/* A string of the dynamic string table, which is given by address. "" when it is not wholly in the file. */
static const char *string_at(const struct image *image, uint64_t address)
{
    const Elf64_Phdr *p;
    for (unsigned i = 0; (p = segment(image, i)); i++) {
        if (p->p_type != PT_LOAD || address < p->p_vaddr || address - p->p_vaddr >= p->p_filesz)
            continue;
        uint64_t offset = p->p_offset + (address - p->p_vaddr);
        const char *text = at(image, offset, 1);
        return text && memchr(text, 0, image->n - offset) ? text : "";
    }
    return "";
}

static void find_asan(const struct image *image, struct sim_program_file *file)
{
    const Elf64_Phdr *dynamic = segment_of_type(image, PT_DYNAMIC);
    const Elf64_Dyn *d = dynamic ? at(image, dynamic->p_offset, dynamic->p_filesz) : NULL;
    size_t count = d ? dynamic->p_filesz / sizeof *d : 0;
    uint64_t strings = 0;
    for (size_t i = 0; i < count; i++)
        if (d[i].d_tag == DT_STRTAB)
            strings = d[i].d_un.d_ptr;
    for (size_t i = 0; i < count && strings; i++) {
        const char *name = d[i].d_tag == DT_NEEDED ? string_at(image, strings + d[i].d_un.d_val) : "";
        if (!strncmp(name, "libasan.so", 10))
            snprintf(file->asan, sizeof file->asan, "%s", name);
    }
}

static void inspect(const struct image *image, struct sim_program_file *file)
{
    const Elf64_Ehdr *h = image->header;
    if (!h || memcmp(h->e_ident, ELFMAG, SELFMAG))
        return;
    file->is_elf = true;
    file->is_x86_64 = h->e_ident[EI_CLASS] == ELFCLASS64 && h->e_machine == EM_X86_64;
    if (!file->is_x86_64 || h->e_phentsize != sizeof(Elf64_Phdr))
        return;
    file->is_static = !segment_of_type(image, PT_INTERP);
    find_asan(image, file);
}

int sim_program_inspect(const char *path, struct sim_program_file *file)
{
    struct stat st;
    memset(file, 0, sizeof *file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = fstat(fd, &st) ? -errno : 0;
    void *bytes = rc || !st.st_size ? MAP_FAILED : mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED)
        return rc;
    struct image image = {bytes, st.st_size, NULL};
    image.header = at(&image, 0, sizeof *image.header);
    inspect(&image, file);
    munmap(bytes, st.st_size);
    return 0;
}
