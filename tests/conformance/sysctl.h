/* sysctl.h - the TCP settings of this network namespace, as scripts change them with sysctl(8). */
#ifndef CONFORMANCE_SYSCTL_H
#define CONFORMANCE_SYSCTL_H

struct nb_tcp_settings;

/* Read /proc/sys/net/ipv4/tcp_* into settings; what cannot be read stays as it is. */
void sysctl_read(struct nb_tcp_settings *settings);

#endif
