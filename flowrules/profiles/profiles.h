/* profiles.h - every profile there is; profile.c looks a driver up among them. */
#ifndef NB_FLOWRULES_PROFILES_H
#define NB_FLOWRULES_PROFILES_H

#include <netbypass/profile.h>

extern const struct nb_profile nb__profile_82599;
extern const struct nb_profile nb__profile_none;

#endif
