/* profiles.h - every profile there is; profile.c looks a device up among them. */
#ifndef NB_FLOWRULES_PROFILES_H
#define NB_FLOWRULES_PROFILES_H

#include <netbypass/profile.h>

#define INTEL    0x8086
#define MELLANOX 0x15b3

extern const struct nb_profile nb__profile_82599, nb__profile_x540, nb__profile_x550;
extern const struct nb_profile nb__profile_e810;
extern const struct nb_profile nb__profile_connectx, nb__profile_connectx_hws;
extern const struct nb_profile nb__profile_kernel_ixgbe, nb__profile_kernel_ice, nb__profile_kernel_mlx5;
extern const struct nb_profile nb__profile_verbs;
extern const struct nb_profile nb__profile_none;

#endif
