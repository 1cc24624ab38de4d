/* fuzz_nic_control.c - hostile lines to nicsim's control socket: each is answered by "ok" and lines, by one line that
 * says what is wrong, or has to wait for something. The device is the smallest there is.
 *
 * Lines that name a file to write are left out: they would be obeyed. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../firmware-sim/fake_device.h"
#include "../../firmware-sim/commands.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long control_obeyed, control_refused; /* of all inputs so far */

static void require_line(bool condition, const char *line)
{
    if (condition)
        return;
    fprintf(stderr, "violated by: %s\n", line);
    abort();
}

static bool names_a_file(const char *line)
{
    char words[256], *save = NULL;
    snprintf(words, sizeof words, "%s", line);
    for (const char *word = strtok_r(words, " \t\r", &save); word; word = strtok_r(NULL, " \t\r", &save))
        if (strcmp(word, "to") == 0 || strcmp(word, "pcap") == 0)
            return true;
    return strlen(line) >= sizeof words && strncmp(line, "inject ", 7) != 0;
}

static void run_line(struct sim *sim, const char *line)
{
    struct sim_awaited awaited = {0};
    char *answer = sim_command_run(sim, line, &awaited);
    if (!answer) {
        require_line(awaited.sim == sim, line);
        return;
    }
    size_t n = strlen(answer);
    bool refused = strncmp(answer, "error: ", 7) == 0;
    require_line(n > 0 && answer[n - 1] == '\n', line);
    require_line(refused || strncmp(answer, "ok\n", 3) == 0, line);
    require_line(!refused || strchr(answer, '\n') == answer + n - 1, line);
    control_obeyed += !refused;
    control_refused += refused;
    free(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sim_device_config config = {.queues = 2, .mac = {2, 0, 0, 0, 0, 1}};
    static struct sim sim;
    struct sim_error err;
    char *text = malloc(size + 1), *save = NULL;

    if (!text || sim_init(&sim, &fake_ops, &config, &err))
        abort();
    memcpy(text, data, size);
    text[size] = 0;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (strlen(line) < SIM_COMMAND_MAX && !names_a_file(line))
            run_line(&sim, line);
    sim_fini(&sim);
    free(text);
    return 0;
}
