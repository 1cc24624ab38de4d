/* main.c - netbypassctl; ctl.c is all of it. */
#include "ctl.h"

int main(int argc, char **argv)
{
    return nb_ctl(argc, argv, -1, stdout, stderr);
}
