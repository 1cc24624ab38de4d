/* version.h - the release, as --version of every program and the control protocol's `version` say it. */
#ifndef NETBYPASS_VERSION_H
#define NETBYPASS_VERSION_H

#define NB_VERSION "0.1.0"

#endif
